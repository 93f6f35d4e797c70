"""Images that fill their frame: the target experiments runs without a detector, and predict needs nothing else."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from workflow_runs import REPOSITORY, outputs_of_jobs, planned_jobs, snakemake_succeeds, write_config
from write_manifest import prepare_run

pytestmark = pytest.mark.workflow

PREPARE = ("fetch_photographs", "resize_photographs", "pack_photographs")
OF_PREDICT = (*PREPARE, "predict_photographs", "show_predictions")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one's own photographs of two families, uncropped, with photographs to predict on."""
    folder = tmp_path_factory.mktemp("whole")
    for name in ("own/Apidae/a.jpg", "own/Formicidae/b.jpg", "new/Käfer/c.jpg"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(name.encode())
    prepare_run([folder / "own"], folder / "run", images_per_chunk=10, levels=("family",))
    config = yaml.safe_load((folder / "run/config.yaml").read_text())
    config["classifier"]["package"] = "original_256"
    config["inference"]["photographs"] = {"Käfer-1": str(folder / "new/Käfer"), "Käfer-2": str(folder / "new")}
    write_config(folder / "run", config)
    return folder / "run"


def test_no_photograph_is_cropped(run: Path) -> None:
    jobs = planned_jobs(snakemake_succeeds(run, "experiments", "--dry-run", "--quiet", "rules"))
    assert jobs["train_classifier"] == 3
    assert not {job for job in jobs if re.search("detect|crop|checkpoint", job)}


def test_predict_needs_only_what_experiments_makes(run: Path) -> None:
    for name in outputs_of_jobs(run, "experiments")["output_file"]:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).touch()
        os.utime(run / name, (2e9, 2e9))
    makefile = (REPOSITORY / "Makefile").read_text().replace("\\\n", " ")
    allowed = re.search(r"^PREDICTING := (.*)$", makefile, flags=re.MULTILINE)[1].split()
    jobs = planned_jobs(
        snakemake_succeeds(run, "predict", "--dry-run", "--quiet", "rules", "--allowed-rules", *allowed)
    )
    assert jobs == {**dict.fromkeys(OF_PREDICT, 2), "predict": 1, "total": 11}


def test_a_table_of_predictions_stays_until_the_new_one_is_whole() -> None:
    """Snakemake removes all other outputs before their job runs."""
    rule = (REPOSITORY / "rules/predict.smk").read_text().partition("rule predict_photographs:")[2]
    assert re.findall(r'update\(f"\{PHOTOGRAPHS\}/(\S+)"\)', rule) == [
        "predictions.tsv",
        "predictions.html",
    ]
