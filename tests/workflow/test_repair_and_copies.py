"""What the audit names is made again by one command, and a copied run is a run after another."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from adopt_run import adopt_run
from job_lists import planned
from repair_run import HERE, repair_run
from workflow_runs import compared_results

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
