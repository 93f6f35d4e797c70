"""A training that is killed with the whole of Snakemake goes on where it was, and ends with the same bytes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_runs import REPOSITORY, small_config, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

MODEL = "results/detector/SW-240/model.safetensors"
EPOCHS = 3


@pytest.fixture
def training_runs(small_run, tmp_path: Path) -> tuple[Path, Path]:
    """Two folders in which a detector is to be trained for some epochs, with the input of the small run."""
    config = small_config()
    config["detector"]["fine_tuning"]["epochs"] = EPOCHS
    runs = tmp_path / "whole", tmp_path / "killed"
    for run in runs:
        shutil.copytree(small_run / "source", run / "source")
        shutil.copy(small_run / "chunks.tsv", run)
        write_config(run, config)
    return runs


def kill_after_first_epoch(run: Path) -> None:
    """Start the training and kill Snakemake with all its jobs when the first epoch is over."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", str(run)]
    process = subprocess.Popen(
        [*command, "--profile", "profiles/demo", MODEL],
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


def test_a_killed_training_goes_on_after_the_last_epoch_and_gives_the_same_model(training_runs) -> None:
    whole, killed = training_runs
    snakemake_succeeds(whole, MODEL)
    kill_after_first_epoch(killed)
    assert (killed / f"{MODEL}.unfinished").exists() and not (killed / MODEL).exists()
    snakemake_succeeds(killed, "--unlock", MODEL)
    output = snakemake_succeeds(killed, MODEL)
    assert f"going on after epoch 1 of {EPOCHS}" in output or f"going on after epoch 2 of {EPOCHS}" in output
    for name in (MODEL, "results/detector/SW-240/history.tsv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    assert not (killed / f"{MODEL}.unfinished").exists()
