"""Where a job reads its images decides nothing: neither what comes out, nor what is recorded, nor what runs again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from workflow_runs import planned_jobs, small_config, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

TRIAL = "small_insect_order/resnet50_ce_seed1"
MODEL = f"results/experiments/{TRIAL}/model.safetensors"
PACKAGES = ("results/packages/cropped_256.hdf5", "results/packages/cropped_256.zip")


@pytest.fixture
def run_in_place(small_run, tmp_path: Path) -> Path:
    """A copy of the small run whose config names no scratch."""
    run = tmp_path / "run"
    shutil.copytree(small_run.folder, run)
    write_config(run, small_config() | {"scratch": None})
    return run


def test_trainings_and_packings_read_copies_and_their_records_name_the_originals(small_run) -> None:
    jobs = {
        f"train_classifier/{TRIAL}": "results/packages/cropped_256.hdf5",
        "test_classifier/small_insect_order": "results/packages/cropped_256.hdf5",
        "pack_hdf5/cropped_256": "results/shards/cropped_256/part1.zip",
        "pack_zip/cropped_256": "results/shards/cropped_256/part1.zip",
    }
    for job, original in jobs.items():
        assert "files to the node's own disk" in (small_run / f"logs/{job}.log").read_text()
        record = json.loads((small_run / f"results/provenance/records/{job}.json").read_text())
        assert original in {file["path"] for file in record["inputs"]}


def test_another_scratch_is_no_reason_to_run_anything_again(run_in_place: Path) -> None:
    assert not planned_jobs(snakemake_succeeds(run_in_place, "all", "--dry-run"))


def test_without_scratch_packages_and_models_are_the_same(small_run, run_in_place: Path) -> None:
    files = (*PACKAGES, MODEL)
    for file in files:
        (run_in_place / file).unlink()
    snakemake_succeeds(run_in_place, *files)
    for file in files:
        assert (run_in_place / file).read_bytes() == (small_run / file).read_bytes()
