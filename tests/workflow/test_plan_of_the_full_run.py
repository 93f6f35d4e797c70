"""The full config plans 113 chunks and 72 trainings, by each of the commands that users type."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from workflow_runs import REPOSITORY, outputs_of_jobs, planned_jobs, snakemake, snakemake_succeeds

pytestmark = pytest.mark.workflow


@pytest.fixture
def full_run(tmp_path: Path) -> Path:
    """An empty folder with the full config and manifest."""
    for name in ("config.yaml", "chunks.tsv"):
        shutil.copy(REPOSITORY / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("profile", ["profiles/demo", "slurm"])
def test_dry_run_plans_every_chunk_and_training(full_run: Path, profile: str) -> None:
    jobs = planned_jobs(snakemake_succeeds(full_run, "--dry-run", "--quiet", "rules", profile=profile))
    for rule in ("fetch_chunk", "detect_insects", "crop_chunk", "join_quarantine"):
        assert jobs[rule] == 113
    assert jobs["resize_chunk"] == 226
    assert jobs["pack_crops"] == 6
    assert jobs["train_classifier"] == 72
    assert jobs["list_classes"] == 6
    assert jobs["test_classifier"] == 6
    assert jobs["import_detector"] == 1
    assert "fine_tune_detector" not in jobs


def test_other_weights_train_every_classifier_that_starts_from_them(full_run: Path) -> None:
    """On a run of one chunk of which every file is there, empty, with Snakemake's notes on it."""
    manifest = (full_run / "chunks.tsv").read_text().splitlines(keepends=True)
    (full_run / "chunks.tsv").write_text("".join(manifest[:2]))
    for name in outputs_of_jobs(full_run)["output_file"]:
        (full_run / name).parent.mkdir(parents=True, exist_ok=True)
        (full_run / name).touch()
    snakemake_succeeds(full_run, "--touch", "--forceall", "--quiet")
    config = (full_run / "config.yaml").read_text()
    assert config.count("IMAGENET1K_V2") == 1
    (full_run / "config.yaml").write_text(config.replace("IMAGENET1K_V2", "IMAGENET1K_V1"))
    jobs = planned_jobs(snakemake_succeeds(full_run, "--dry-run", "--quiet", "rules"))
    assert jobs["fetch_backbone"] == 1 and jobs["train_classifier"] == 36 and jobs["test_classifier"] == 6
    assert not {"fetch_chunk", "pack_hdf5", "build_splits"} & set(jobs)


def test_tensorboards_file_is_made_only_where_it_is_asked_for(full_run: Path) -> None:
    events = "results/experiments/small_insect_order/resnet50_ce_seed1/events.tfevents"
    assert "MissingRuleException" in snakemake(full_run, events, "--dry-run").stdout
    config = (full_run / "config.yaml").read_text()
    (full_run / "config.yaml").write_text(config.replace("tensorboard: false", "tensorboard: true"))
    jobs = planned_jobs(snakemake_succeeds(full_run, events, "--dry-run", "--quiet", "rules"))
    assert jobs["train_classifier"] == 1


def test_the_link_to_the_slurm_profile_is_part_of_the_checkout() -> None:
    assert (REPOSITORY / "slurm").is_symlink()
    assert (REPOSITORY / "slurm").resolve() == (REPOSITORY / "profiles/slurm").resolve()
