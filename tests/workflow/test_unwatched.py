"""Each rule names for its records what is no reason to run it again: its ancient inputs, and parameters."""

from __future__ import annotations

import sys
from inspect import signature

import pytest
from snakemake.api import SnakemakeApi
from snakemake.io import is_flagged
from snakemake.iocontainers import Namedlist
from snakemake.rules import Rule
from snakemake.settings.types import ConfigSettings, ResourceSettings

from bioscan1m.jobs.planned import VARIABLE
from workflow_runs import REPOSITORY

pytestmark = pytest.mark.workflow

# Functions of the output as well: the names themselves, and a path beside the output.
NOT_NAMED = {"ancient", "unwatched", "state"}


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> list[Rule]:
    """The rules of the full run, those that others take over with changes among them."""
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv(VARIABLE, "set while the rules are read, and as before after the test")
    with SnakemakeApi() as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(),
            config_settings=ConfigSettings(configfiles=[REPOSITORY / "config.yaml"]),
            snakefile=REPOSITORY / "Snakefile",
        )._workflow
        return list(workflow.rules)


def test_the_names_are_complete(rules: list[Rule]) -> None:
    assert len(rules) > 50
    for rule in rules:
        ancient = {name for name, files in rule.input.items() if is_ancient(files)}
        not_compared = {
            name for name, value in rule.params.items() if callable(value) and "output" in signature(value).parameters
        }
        assert named(rule, "ancient") == ancient, rule.name
        assert named(rule, "unwatched") == not_compared - NOT_NAMED, rule.name


def is_ancient(files: object) -> bool:
    """Whether an input of one file, or of several, or a function that gives them, is ancient."""
    listed = files if isinstance(files, Namedlist) else [files]
    return bool(listed) and all(is_flagged(file, "ancient") for file in listed)


def named(rule: Rule, kind: str) -> set[str]:
    """What a rule names; nothing where it has no such list."""
    names = dict(rule.params.items()).get(kind)
    return set() if names is None else set(names(None, None))
