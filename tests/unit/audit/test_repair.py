"""What is at fault is mended by the jobs that made it, and what was made again with equal bytes keeps its time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bioscan1m.audit.evidence import read_evidence
from bioscan1m.audit.repair import following_records, keep_times_of_equal_files, plan_repair
from bioscan1m.audit.todays_plan import plan_of
from bioscan1m.foundation.digests import describe_files
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.jobs.planned import JobPlan, PlannedJob
from bioscan1m.jobs.records import RECORDS, write_record

CHUNK, CROPPED, PACKAGE = "data/chunks/part1.zip", "results/cropped/part1.zip", "results/packages/cropped_256.zip"
JOBS = {"fetch_chunk": ([], CHUNK), "crop_chunk": ([CHUNK], CROPPED), "pack_zip": ([CROPPED], PACKAGE)}


def record_of(rule: str) -> str:
    return f"{RECORDS}/{rule}/part1.json"


def run_job(rule: str) -> None:
    inputs, output = JOBS[rule]
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(rule)
    described = {"inputs": describe_files(inputs), "outputs": describe_files([output]), "parameters": {}}
    write_record(record_of(rule), {"rule": rule, "code": code_digest(rule), "ended": "2026-01-01", **described})


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chunk was fetched, cropped and packed."""
    monkeypatch.chdir(tmp_path)
    for rule in JOBS:
        run_job(rule)
    return Path()


def plan(*rules: str) -> JobPlan:
    """Today's plan of these rules."""
    return JobPlan({record_of(rule): PlannedJob(rule, {}, ("code",), in_run=True) for rule in rules}, {}, {})


def test_a_run_without_faults_needs_no_repair(run):
    repair = plan_repair(run, plan(*JOBS))
    assert (repair.records, repair.others) == ([], [])


def test_missing_changed_and_damaged_files_are_made_again_by_their_jobs(run):
    Path(CHUNK).unlink()
    Path(CROPPED).write_text("other crops")
    Path(record_of("pack_zip")).write_text("{")
    repair = plan_repair(run, plan(*JOBS))
    assert sorted(repair.records) == sorted(map(record_of, JOBS)) and repair.others == []


def test_what_no_job_of_todays_plan_makes_is_named_and_left(run):
    Path(CROPPED).unlink()
    repair = plan_repair(run, plan("fetch_chunk"))
    assert repair.records == [] and [finding.path for finding in repair.others] == [CROPPED]


def test_what_follows_are_the_jobs_that_read_the_files_directly_or_by_way_of_others(run):
    evidence = read_evidence(run)
    assert set(following_records([record_of("crop_chunk")], evidence, plan(*JOBS))) == {
        record_of("crop_chunk"),
        record_of("pack_zip"),
    }
    assert following_records([record_of("pack_zip")], evidence, plan("fetch_chunk")) == []


@pytest.mark.parametrize("equal", [True, False])
def test_a_file_that_was_made_again_keeps_its_time_only_where_its_bytes_are_equal(run, equal):
    before, time = read_evidence(run), Path(CROPPED).stat().st_mtime_ns
    run_job("crop_chunk")
    if not equal:
        Path(CROPPED).write_text("other crops")
    os.utime(CROPPED)
    keep_times_of_equal_files(run, before, [record_of("crop_chunk")])
    assert (Path(CROPPED).stat().st_mtime_ns == time) is equal


def test_a_temporary_file_that_is_gone_again_is_passed_over(run):
    before, time = read_evidence(run), Path(CROPPED).stat().st_mtime_ns
    for rule in ("fetch_chunk", "crop_chunk"):
        run_job(rule)
    Path(CHUNK).unlink()
    keep_times_of_equal_files(run, before, [record_of("fetch_chunk"), record_of("crop_chunk")])
    assert Path(CROPPED).stat().st_mtime_ns == time


def test_a_config_by_which_nothing_can_be_planned_is_named_with_its_mistakes(run):
    Path("config.yaml").write_text("chunks: chunks.tsv\n")
    with pytest.raises(InputError, match=r"(?s)cannot plan in .*mistakes:\n.*'metadata' is a required key"):
        plan_of(run)
