"""What the audit names is made again by one command, and a copied run is a run after another."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
import yaml

from adopt_run import adopt_run
from bioscan1m.audit.findings import audit
from bioscan1m.audit.todays_plan import plan_of
from bioscan1m.jobs.ledger import HEAD, LEDGER
from bioscan1m.jobs.records import RECORDS
from job_lists import planned
from repair_run import HERE, repair_run, restore_lost, state_lost_lines
from workflow_runs import compared_results, snakemake, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

CROPS = "results/cropped/bioscan_images_cropped_full_part1.zip"
BOXES = "results/boxes/part1.parquet"
MADE_AGAIN = {"boxes", "cropped", "crop", "detect"}  # folders of what the three jobs make
RECORD = "results/provenance/records/crop_chunk/part2.json"


def test_missing_and_damaged_files_and_records_are_made_again_and_nothing_else(run: Path, capfd) -> None:
    before = compared_results(run)
    kept = {path: (run / path).stat().st_mtime_ns for path in before if not MADE_AGAIN & set(Path(path).parts)}
    time = (run / CROPS).stat().st_mtime_ns
    (run / CROPS).write_bytes(b"\xff" * 64)
    os.utime(run / CROPS, ns=(time, time))
    (run / BOXES).unlink()
    (run / RECORD).write_text("{")
    assert planned(run) == {}  # Snakemake looks at no content, and not at files that no job has to read
    assert repair_run(run, HERE, list_only=True) == 1
    assert repair_run(run, HERE, list_only=False) == 0
    printed = capfd.readouterr().out
    assert "3 files are at fault, which 3 jobs make again" in printed and "0 files are at fault now" in printed
    assert compared_results(run) == before
    assert {path: (run / path).stat().st_mtime_ns for path in kept} == kept
    assert planned(run) == {}
    assert repair_run(run, HERE, list_only=False) == 0


def test_a_copy_without_times_and_notes_is_a_run_after_its_adoption(run: Path) -> None:
    files = [path for path in run.rglob("*") if path.is_file()]
    random.Random(1).shuffle(files)
    for number, path in enumerate(files):
        os.utime(path, (2_000_000_000 - number, 2_000_000_000 - number))
    shutil.rmtree(run / ".snakemake")
    assert planned(run) != {}
    assert adopt_run(run) == 0
    assert planned(run) == {}


def states(run: Path) -> set[str]:
    """The states of all files by an audit that reads the plan."""
    return {finding.state for finding in audit(run, plan=plan_of(run, HERE))}


@pytest.mark.parametrize("ledger_is_lost", [False, True])
def test_lost_records_are_written_anew_and_no_job_runs(run: Path, ledger_is_lost: bool) -> None:
    shutil.rmtree(run / RECORDS)
    for path in (run / "results/provenance").glob("ledger.*") if ledger_is_lost else ():
        if path.name != Path(HEAD).name:  # an output of a job
            path.unlink()
    assert restore_lost(run, HERE, list_only=False) == 0
    assert planned(run) == {}
    if not ledger_is_lost:
        assert states(run) == {"intact"}
        return
    # The ledger itself is changed, the code of fetched files unknown; the report, which no job makes, was sealed in it.
    marked = {"reconstructed record", "other code than today's", "changed", "orphan"}
    assert states(run) == {"intact"} | marked
    assert [one.path for one in audit(run, plan=plan_of(run, HERE)) if one.state == "orphan"] == ["results/report.html"]


def test_a_cut_ledger_is_not_sealed_until_its_loss_is_stated(run: Path) -> None:
    lines = (run / LEDGER).read_bytes().splitlines(keepends=True)
    (run / LEDGER).write_bytes(b"".join(lines[:-5]))
    sealing = ("all", "audit", "--forcerun", "seal_records")
    done = snakemake(run, *sealing)
    assert done.returncode != 0 and "--lost-ledger" in done.stdout
    assert state_lost_lines(run, "a test") == 0
    snakemake_succeeds(run, *sealing)
    assert states(run) == {"intact", "lines were lost, as stated"}


def test_a_run_is_clean_after_an_edit_that_makes_jobs_run(run: Path) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["packages"]["attributes"]["photographer"] = "somebody else"
    write_config(run, config)
    assert {"edited since", "other parameters than today's"} < states(run)
    snakemake_succeeds(run, "all")
    snakemake_succeeds(run, "audit")
    assert states(run) == {"intact"}
    (run / "results/report.html").write_text("forged")
    assert states(run) == {"intact", "changed"}
