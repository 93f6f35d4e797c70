"""A job stops where it finds other parameters or other code than its call planned, and names what differs."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from snakemake.iocontainers import OutputFiles, Params

from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.jobs.planned import VARIABLE, JobPlan, PlannedJob, differences, read_plan, require_as_planned, write_plan

RECORD = "results/provenance/records/train_classifier/one.json"
CONFIG = {"classifier": {"training": {"epochs": 60}}, "crop": {"ratio": 1.4}, "metadata": {"source": "a.tsv"}}
CODE = {"train_classifier": code_digest("train_classifier")}
SECRET = "https://me:secret@example.org/part1.zip?token=secret"


def planned(**parameters: Any) -> PlannedJob:
    values = {"trial": {"training": {"epochs": 60}}, "code": code_digest("train_classifier")} | parameters
    return PlannedJob("train_classifier", values, ("workers", "unwatched"), in_run=True)


@pytest.fixture(autouse=True)
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan of a call, which its jobs get."""
    path = write_plan(JobPlan({RECORD: planned()}, CONFIG, CODE), tmp_path / "plans")
    monkeypatch.setenv(VARIABLE, str(path))


def starts(epochs: int = 60, record: str = RECORD, config: dict[str, Any] | None = None, **parameters: Any) -> None:
    """A job starts and finds these parameters and this config."""
    found = {"trial": {"training": {"epochs": epochs}}, "code": code_digest("train_classifier")} | parameters
    require_as_planned(
        SimpleNamespace(
            output=OutputFiles(fromdict={"record": record}),
            params=Params(fromdict=found | {"unwatched": ["workers"]}),
            config=config or CONFIG,
        )
    )


def test_a_job_that_finds_what_was_planned_starts_whatever_is_unwatched() -> None:
    starts(workers=1)
    starts(workers=8)


def test_an_edited_config_is_named_by_its_key() -> None:
    edited = CONFIG | {"classifier": {"training": {"epochs": 5}}, "crop": {"ratio": 1.5}}
    with pytest.raises(InputError, match=r"planned: classifier\.training\.epochs: 60 planned, 5 found\. Nothing was"):
        starts(epochs=5, config=edited)


def test_an_edit_of_the_config_that_is_no_concern_of_the_job_does_not_stop_it() -> None:
    starts(config=CONFIG | {"crop": {"ratio": 1.5}})


def test_parameters_that_stand_in_no_config_are_named_as_the_rule_has_them() -> None:
    with pytest.raises(InputError, match=r"source: not there planned, part1\.zip found"):
        starts(source="part1.zip")


def test_other_code_stops_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = JobPlan({RECORD: planned(code="train_classifier:0123456789abcdef")}, CONFIG, CODE)
    monkeypatch.setenv(VARIABLE, str(write_plan(earlier, tmp_path)))
    with pytest.raises(InputError, match="code: train_classifier:0123456789abcdef planned, train_classifier:"):
        starts(code="train_classifier:0123456789abcdef")  # as the head knew it; the script on the disk is another one


def test_a_job_that_no_target_asks_for_compares_the_whole_config_and_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for_by_name = RECORD.replace("one", "two")
    starts(record=asked_for_by_name)
    with pytest.raises(InputError, match=r"crop\.ratio: 1\.4 planned, 1\.5 found"):
        starts(record=asked_for_by_name, config=CONFIG | {"crop": {"ratio": 1.5}})
    earlier = JobPlan({}, CONFIG, {"train_classifier": "train_classifier:0123456789abcdef"})
    monkeypatch.setenv(VARIABLE, str(write_plan(earlier, tmp_path)))
    with pytest.raises(InputError, match="code: train_classifier:0123456789abcdef planned"):
        starts(record=asked_for_by_name)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("{"), lambda path: path.write_text("[]")])
def test_a_plan_that_is_lost_or_damaged_stops_the_job(damage: Any) -> None:
    damage(Path(os.environ[VARIABLE]))
    with pytest.raises(InputError, match="the plan of this job cannot be read"):
        starts()


def test_a_plan_has_no_secrets_and_old_plans_are_removed(tmp_path: Path) -> None:
    old = write_plan(JobPlan({}, {}, {}), tmp_path)
    os.utime(old, (0, time.time() - 61 * 86_400))
    path = write_plan(JobPlan({RECORD: planned(source=SECRET)}, {"source": SECRET}, {}), tmp_path)
    assert "secret" not in path.read_text() and list(tmp_path.glob("*.json")) == [path]
    assert read_plan(path).jobs[RECORD].parameters["source"] == "https://example.org/part1.zip"


def test_two_calls_may_write_the_same_plan_at_a_time(tmp_path: Path) -> None:
    jobs = JobPlan({f"{RECORD}{number}": planned() for number in range(1000)}, CONFIG, CODE)
    with ThreadPoolExecutor(4) as calls:
        (path,) = set(calls.map(lambda _: write_plan(jobs, tmp_path / "both"), range(16)))
    assert len(read_plan(path).jobs) == 1000 and list(path.parent.iterdir()) == [path]


# Small, so that many are equal in part.
KEYS = st.text("ab", max_size=2)
VALUES = st.recursive(
    st.integers(0, 2) | st.text("ab", max_size=1), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(KEYS, VALUES, max_size=3), st.dictionaries(KEYS, VALUES, max_size=3))
def test_there_is_a_difference_exactly_where_values_are_not_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert bool(list(differences(one, other))) == (one != other)
