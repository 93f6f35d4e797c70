"""The record of a job decides whether it runs again, and a job that finds another config than was planned stops."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bioscan1m.audit.notes import METADATA, note_file
from bioscan1m.jobs.planned import PLANS, VARIABLE
from job_lists import CROPPED_ANEW, planned
from workflow_runs import REPOSITORY, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

CROPS = "results/cropped/bioscan_images_cropped_full_part1.zip"
CLOSER_CROPS = CROPPED_ANEW | {"draw_doubtful": 1}
RECORD = "results/provenance/records/crop_chunk/part1.json"


def configure(run: Path, ratio: float) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["crop"]["ratio"] = ratio
    write_config(run, config)


def notes(run: Path) -> dict[str, bytes]:
    """Snakemake's notes, of which each is a file."""
    return {str(path): path.read_bytes() for path in (run / METADATA).rglob("*") if path.is_file()}


def test_notes_that_agree_with_the_records_stay_and_lost_ones_are_written_from_them(run: Path) -> None:
    before = notes(run)
    assert planned(run) == {} and notes(run) == before
    shutil.rmtree(run / ".snakemake")
    assert planned(run) == {} and notes(run).keys() == before.keys()


def lose_the_notes(run: Path) -> None:
    shutil.rmtree(run / ".snakemake")


def lose_the_notes_of_a_job(run: Path) -> None:
    """As where its head process was killed and the job ended alone."""
    for path in (CROPS, "results/quarantine/crop/part1.tsv", RECORD):
        note_file(run, path).unlink()


def touch(run: Path) -> None:
    snakemake_succeeds(run, "dataset", "--touch")


@pytest.mark.parametrize("forget", [lose_the_notes, lose_the_notes_of_a_job, touch])
def test_results_of_another_config_are_planned_again_whatever_snakemake_remembers(run: Path, forget) -> None:
    configure(run, 1.5)
    forget(run)
    assert planned(run, "dataset") == CLOSER_CROPS
    assert planned(run, "dataset") == CLOSER_CROPS
    configure(run, 1.4)
    assert planned(run, "dataset") == {}


def test_the_audit_names_results_of_another_config_and_of_a_chunk_that_is_gone(run: Path) -> None:
    configure(run, 1.5)
    manifest = run / "chunks.tsv"
    manifest.write_text("\n".join(manifest.read_text().splitlines()[:-1]) + "\n")
    command = [sys.executable, str(REPOSITORY / "workflow_scripts/audit_run.py"), str(run), "--hash", "0"]
    done = subprocess.run([*command, "--format", "json"], check=True, capture_output=True, text=True)
    audited = json.loads(done.stdout)
    states = {file["path"]: (file["state"], file["detail"]) for file in audited["files"]}
    assert audited["compared_with_plan"] and done.stderr == ""
    assert states[CROPS] == ("other parameters than today's", "crop.ratio: made by 1.4, today 1.5")
    assert states[CROPS.replace("part1", "part3")][0] == "not in this run"
    assert states["results/boxes/part1.parquet"][0] == "intact"


def start_job(run: Path, job: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The process that an executor starts on a node for a job of a call."""
    mode = ["--mode", "remote", "--nolock", "--no-hooks", "--force", "--force-use-threads", "--ignore-incomplete"]
    arguments = ["--target-jobs", job, "--allowed-rules", job.partition(":")[0], "--cores", "2", *mode]
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", str(run), *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, text=True, capture_output=True, check=False)


def test_a_job_that_finds_another_config_than_was_planned_stops_and_leaves_no_record(run: Path) -> None:
    configure(run, 1.5)
    assert planned(run, "dataset") == CLOSER_CROPS
    plan = max((run / PLANS).glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    environment = os.environ | {VARIABLE: str(plan.relative_to(run))}
    configure(run, 1.3)  # while the job waits in the queue
    done = start_job(run, "crop_chunk:chunk=1", environment)
    assert done.returncode != 0 and "crop.ratio: 1.5 planned, 1.3 found" in done.stderr, done.stderr
    assert not (run / RECORD).exists() and not (run / CROPS).exists()
    configure(run, 1.5)
    assert start_job(run, "crop_chunk:chunk=1", environment).returncode == 0
    assert json.loads((run / RECORD).read_text())["parameters"]["crop"]["ratio"] == 1.5
    del environment[VARIABLE]
    done = start_job(run, "crop_chunk:chunk=1", environment)
    assert done.returncode != 0 and f"{VARIABLE} did not reach this job" in done.stderr
