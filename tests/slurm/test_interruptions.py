"""What clusters do to jobs: a training that is cancelled, requeued or left by its head ends with the same model."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cluster import Cluster, why_not
from slurm_runs import EXPERIMENT, TRIAL, finished, on_the_cluster

from workflow_runs import snakemake_succeeds, write_config

pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]

EPOCHS = 25
MODEL = f"{TRIAL}/model.safetensors"
SECONDS_TO_WAIT = 300


def longer_training(finished_run: Path, folder: Path) -> Path:
    """The finished run in another folder, with a training of more epochs still to be done."""
    shutil.copytree(finished_run, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["classifier"]["training"] |= {"epochs": EPOCHS, "patience": EPOCHS}
    write_config(folder, config)
    return folder


@pytest.fixture(scope="module")
def model_of_a_calm_training(cluster_run: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    run = longer_training(cluster_run, tmp_path_factory.mktemp("calm") / "run")
    snakemake_succeeds(run, MODEL)
    return (run / MODEL).read_bytes()


@pytest.fixture
def run(cluster_run: Path, tmp_path: Path) -> Path:
    return longer_training(cluster_run, tmp_path / "run")


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(SECONDS_TO_WAIT * 5):
        if condition():
            return
        time.sleep(0.2)
    pytest.fail("waited in vain")


def job_in_training(cluster: Cluster, run: Path) -> str:
    """The id of the job that trains in this folder, as soon as it has kept its first epoch."""
    wait_for((run / f"{MODEL}.unfinished").exists)
    (job,) = [job for job in cluster.jobs() if job["WorkDir"] == str(run) and job["JobState"] == "RUNNING"]
    assert job["Comment"].startswith(f"rule_train_classifier_wildcards_{EXPERIMENT}")
    return job["JobId"]


def log_of_training(run: Path) -> str:
    return (run / f"logs/train_classifier/{EXPERIMENT}/resnet50_ce_seed1.log").read_text()


@pytest.mark.parametrize("interruption", ["scancel", "scontrol requeue"])
def test_a_training_that_loses_its_job_goes_on(
    cluster: Cluster, site: Path, run: Path, model_of_a_calm_training: bytes, interruption: str
) -> None:
    head = on_the_cluster(site, run, MODEL)
    cluster.command(*interruption.split(), job_in_training(cluster, run))
    status, output = finished(head)
    assert status == 0, output[-4000:]
    assert "going on after epoch" in log_of_training(run)
    assert (run / MODEL).read_bytes() == model_of_a_calm_training


def test_a_killed_head_is_started_again(
    cluster: Cluster, site: Path, run: Path, model_of_a_calm_training: bytes
) -> None:
    head = on_the_cluster(site, run, MODEL)
    job = job_in_training(cluster, run)
    os.killpg(head.pid, signal.SIGKILL)
    finished(head)
    subprocess.run(["scancel", job], check=True)
    wait_for(lambda: "RUNNING" not in cluster.command("squeue", "-h", "-j", job, "-o", "%T"))
    snakemake_succeeds(run, "--unlock", MODEL)
    status, output = finished(on_the_cluster(site, run, MODEL))
    assert status == 0, output[-4000:]
    assert "going on after epoch" in log_of_training(run)
    assert (run / MODEL).read_bytes() == model_of_a_calm_training
