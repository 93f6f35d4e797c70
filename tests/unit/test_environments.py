"""The lock, the conda environments and pyproject.toml name the same versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENTS = sorted((REPOSITORY / "envs").glob("*.yaml"))
RULE_FILES = sorted((REPOSITORY / "rules").glob("*.smk"))
PYTHONS = ("3.11", "3.12", "3.13")
NAME_ON_CONDA = {"pytorch": "torch", "huggingface_hub": "huggingface-hub"}


def locked(python: str) -> dict[str, str]:
    """Package -> version in the lock for one version of Python on Linux."""
    environment = default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
    }
    lines = (REPOSITORY / "envs/requirements.txt").read_text().splitlines()
    entries = [Requirement(line.rstrip(" \\")) for line in lines if re.match(r"[A-Za-z]", line)]
    chosen = [entry for entry in entries if entry.marker is None or entry.marker.evaluate(environment)]
    versions = {canonicalize_name(entry.name): str(entry.specifier).removeprefix("==") for entry in chosen}
    assert len(versions) == len(chosen), "two versions of one package"
    return versions


def direct_dependencies() -> list[Requirement]:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"]["dev"]]


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_has_a_version_in_range_of_every_direct_dependency(python: str) -> None:
    versions = locked(python)
    outside = [str(r) for r in direct_dependencies() if not r.specifier.contains(versions[canonicalize_name(r.name)])]
    assert outside == []


def test_lock_has_a_hash_for_every_package_and_no_address() -> None:
    text = (REPOSITORY / "envs/requirements.txt").read_text()
    entries = re.split(r"\n(?=[A-Za-z])", text)[1:]
    assert [entry.split("==")[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_conda_environment_agrees_with_the_lock(path: Path) -> None:
    environment = yaml.safe_load(path.read_text())
    pins = dict(entry.split("=") for entry in environment["dependencies"])
    versions = locked(pins.pop("python"))
    different = {
        name: (pin, versions.get(NAME_ON_CONDA.get(name, name)))
        for name, pin in pins.items()
        if pin != versions.get(NAME_ON_CONDA.get(name, name))
    }
    assert different == {}


@pytest.mark.parametrize("path", RULE_FILES, ids=lambda path: path.stem)
def test_every_rule_that_runs_has_an_environment_a_log_and_a_record(path: Path) -> None:
    rules = re.split(r"\n(?=rule )", path.read_text())[1:]
    running = [rule for rule in rules if "script:" in rule]
    without = [
        rule.split(":")[0] for rule in running if not all(d in rule for d in ("conda:", "log:", "record=", "code="))
    ]
    assert without == []
    named = {name for rule in running for name in re.findall(r'"\.\./(envs/[^"]+)"', rule)}
    assert all((REPOSITORY / name).is_file() for name in named)


def test_every_rule_that_fetches_is_local_and_counts_as_a_download() -> None:
    """Also one that is made of another: a rule takes over resources from that, but not where it runs."""
    text = "\n\n".join(path.read_text() for path in RULE_FILES)
    rules = re.split(r"\n\n+(?=rule |use rule )", text)
    fetching = [rule for rule in rules if re.match(r"rule fetch_|use rule \w+ as fetch_", rule)]
    assert len(fetching) > 5 and sum(rule.startswith("use ") for rule in fetching) > 1
    assert [rule for rule in fetching if "localrule: True" not in rule] == []
    assert [rule for rule in fetching if rule.startswith("rule ") and "downloads=1" not in rule] == []
    taken_over = [re.search(r"use rule (\w+) as", rule)[1] for rule in fetching if rule.startswith("use ")]
    assert {f"rule {name}" for name in taken_over} <= {rule.split(":")[0] for rule in fetching}


def test_every_script_of_a_rule_exists() -> None:
    named = {name for path in RULE_FILES for name in re.findall(r'"\.\./(workflow_scripts/[^"]+)"', path.read_text())}
    assert named
    assert [name for name in sorted(named) if not (REPOSITORY / name).is_file()] == []


def test_the_hosted_tests_are_those_of_ci_run_on_the_pythons_of_the_project() -> None:
    (job,) = yaml.safe_load((REPOSITORY / ".github/workflows/tests.yml").read_text())["jobs"].values()
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    assert {PYTHONS[0], PYTHONS[-1]} <= set(job["strategy"]["matrix"]["python"]) <= set(PYTHONS)
