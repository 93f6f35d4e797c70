"""A training that is killed with the whole of Snakemake goes on where it was, and ends with the same bytes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workflow_runs import REPOSITORY, small_config, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

MODEL = "results/detector/SW-240/model.safetensors"
TRIAL = "results/experiments/large_insect_order/resnet50_ce_seed1"
EPOCHS = 3


@pytest.fixture
def runs(small_run, tmp_path: Path) -> list[Path]:
    """Two copies of the small run, in which a model is to be trained anew."""
    return [Path(shutil.copytree(small_run.folder, tmp_path / name)) for name in ("whole", "killed")]


def kill_after_first_epoch(run: Path, model: str) -> None:
    """Start the training and kill Snakemake with all its jobs when the first epoch is over."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", str(run)]
    process = subprocess.Popen(
        [*command, "--profile", "profiles/demo", model],
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    with process:
        for line in process.stdout:
            if f"epoch 1 of {EPOCHS}" in line:
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def trained_whole_and_killed(runs: list[Path], config: dict[str, Any], model: str) -> None:
    """Train a model in one run, and in another that is killed and started again."""
    whole, killed = runs
    for run in runs:
        write_config(run, config)
    snakemake_succeeds(whole, model)
    kill_after_first_epoch(killed, model)
    assert (killed / f"{model}.unfinished").exists() and not (killed / model).exists()
    snakemake_succeeds(killed, "--unlock", model)
    output = snakemake_succeeds(killed, model)
    assert f"going on after epoch 1 of {EPOCHS}" in output or f"going on after epoch 2 of {EPOCHS}" in output
    assert not (killed / f"{model}.unfinished").exists()


def assert_equal(runs: list[Path], *names: str) -> None:
    for name in names:
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes(), name


def test_a_killed_training_goes_on_after_the_last_epoch_and_gives_the_same_model(runs: list[Path]) -> None:
    config = small_config()
    config["detector"]["fine_tuning"]["epochs"] = EPOCHS
    trained_whole_and_killed(runs, config, MODEL)
    assert_equal(runs, MODEL, "results/detector/SW-240/history.tsv")


@pytest.mark.slow  # as the detector above; tests/unit/experiments/test_training_resume.py kills it without Snakemake
def test_a_killed_classifier_goes_on_and_gives_the_same_results(runs: list[Path]) -> None:
    config = small_config()
    config["classifier"]["overrides"] = {"large_insect_order": {"epochs": EPOCHS}}
    trained_whole_and_killed(runs, config, f"{TRIAL}/model.safetensors")
    assert_equal(runs, *(f"{TRIAL}/{name}" for name in ("model.safetensors", "history.tsv", "validation.json")))
