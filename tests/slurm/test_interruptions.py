"""What clusters do to jobs: a training that is cancelled, requeued or left by its head ends with the same model."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from cluster import Cluster, why_not
from daemons import wait_until
from slurm_runs import MODEL, finished, head, job_in_training, log_of_training, succeeds_on_the_cluster

from workflow_runs import snakemake_succeeds

pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]


@pytest.mark.parametrize("interruption", ["scancel", "scontrol requeue"])
def test_a_training_that_loses_its_job_goes_on(
    cluster: Cluster, site: Path, run: Path, model_of_a_calm_training: bytes, interruption: str
) -> None:
    with head(site, run, MODEL) as process:
        cluster.command(*interruption.split(), job_in_training(cluster, run))
        status, output = finished(process)
    assert status == 0, output[-4000:]
    assert "going on after epoch" in log_of_training(run)
    assert (run / MODEL).read_bytes() == model_of_a_calm_training


def test_a_killed_head_is_started_again(
    cluster: Cluster, site: Path, run: Path, model_of_a_calm_training: bytes
) -> None:
    with head(site, run, MODEL) as process:
        job = job_in_training(cluster, run)
        os.killpg(process.pid, signal.SIGKILL)
        finished(process)
    subprocess.run(["scancel", job], check=True)
    wait_until(lambda: "RUNNING" not in cluster.command("squeue", "-h", "-j", job, "-o", "%T"), "the job did not end")
    snakemake_succeeds(run, "--unlock", MODEL)
    succeeds_on_the_cluster(site, run, MODEL)
    assert "going on after epoch" in log_of_training(run)
    assert (run / MODEL).read_bytes() == model_of_a_calm_training
