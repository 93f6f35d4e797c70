"""What `write_manifest` makes of photographs without labels is a run that trains no classifier, and has a plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow_runs import planned_jobs, snakemake_succeeds
from write_manifest import prepare_run

pytestmark = pytest.mark.workflow


def test_a_run_without_labels_makes_packages_and_trains_nothing(tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (photographs / name).write_bytes(name.encode())
    run = tmp_path / "run"
    prepare_run([photographs], run, images_per_chunk=2)
    jobs = planned_jobs(snakemake_succeeds(run, "--dry-run", "--quiet", "rules"))
    assert (jobs["detect_insects"], jobs["crop_chunk"], jobs["pack_hdf5"], jobs["describe_dataset"]) == (2, 2, 2, 1)
    trained = {
        "train_classifier",
        "fetch_backbone",
        "select_trial",
        "test_classifier",
        "draw_experiment",
        "list_classes",
    }
    assert not trained & set(jobs)
