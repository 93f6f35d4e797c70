"""Runs by the literal `snakemake --profile slurm`, with the profile as a site adapts it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from cluster import Cluster
from daemons import wait_until

from workflow_runs import EXPERIMENT, REPOSITORY, write_config

MODEL = f"results/experiments/{EXPERIMENT}/resnet50_ce_seed1/model.safetensors"
EPOCHS = 25  # of the trainings that are interrupted
SECONDS_TO_FINISH = 1_200
PROFILE = REPOSITORY / "profiles/slurm/profile.yaml"
# The head's own checks take seconds here; the plugin's default of 40 s is for schedulers with thousands of jobs.
IMPATIENT = {"slurm-init-seconds-before-status-checks": 3, "latency-wait": 10}


def adapt_profile(folder: Path, **settings: Any) -> Path:
    """Write the profile, with a site's settings, as `slurm/` into a folder; return the folder, to work in."""
    profile = yaml.safe_load(PROFILE.read_text()) | IMPATIENT | settings
    (folder / "slurm").mkdir(parents=True)
    (folder / "slurm/profile.yaml").write_text(yaml.safe_dump(profile, sort_keys=False))
    return folder


def make_site(cluster: Cluster, folder: Path, **settings: Any) -> Path:
    """The profile as its comments say: the cluster's partitions are listed by the plugin's own command."""
    partitions = folder / "slurm/partitions.yaml"
    adapt_profile(folder, **{"slurm-partition-config": str(partitions)} | settings)
    cluster.command(str(Path(sys.executable).with_name("generate-slurm-partition-config")), "-o", str(partitions))
    listed = yaml.safe_load(partitions.read_text())
    listed["partitions"]["gpu"]["max_gpu"] = 1  # a cluster without accounting does not tell
    partitions.write_text(yaml.safe_dump(listed))
    return folder


@contextmanager
def head(
    site: Path, run: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """`snakemake --profile slurm` from the folder that has the profile, on the folder `run`; killed if still there."""
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--snakefile", str(REPOSITORY / "Snakefile")]
    process = subprocess.Popen(
        [*command, "--directory", str(run), *arguments],
        cwd=site,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and output of a run. Raises subprocess.TimeoutExpired for one that does not end."""
    output, _ = process.communicate(timeout=SECONDS_TO_FINISH)
    return process.returncode, output


def succeeds_on_the_cluster(site: Path, run: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """The output of a run; a failed one fails the test with it."""
    with head(site, run, *arguments, environment=environment) as process:
        status, output = finished(process)
    assert status == 0, output[-6000:]
    return output


def longer_training(finished_run: Path, folder: Path) -> Path:
    """The finished run in another folder, with a training of more epochs still to be done."""
    shutil.copytree(finished_run, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["classifier"]["training"] |= {"epochs": EPOCHS, "patience": EPOCHS}
    write_config(folder, config)
    return folder


def job_in_training(cluster: Cluster, run: Path, earlier: Sequence[str] = ()) -> str:
    """The id of the job that trains in this folder, as soon as it has saved a state; none of the earlier ones."""

    def running() -> list[dict[str, str]]:
        jobs = [job for job in cluster.jobs() if job["WorkDir"] == str(run) and job["JobId"] not in earlier]
        return [job for job in jobs if job["JobState"] == "RUNNING"]

    wait_until(lambda: bool(running()), "no training began", SECONDS_TO_FINISH)
    (job,) = running()
    assert job["Comment"].startswith(f"rule_train_classifier_wildcards_{EXPERIMENT}")
    state = run / f"{MODEL}.unfinished"
    before = saved_at(state)
    wait_until(lambda: saved_at(state) > before, "no state was saved", SECONDS_TO_FINISH)
    return job["JobId"]


def saved_at(state: Path) -> int:
    """When a state was saved, in nanoseconds; 0 where there is none."""
    return state.stat().st_mtime_ns if state.exists() else 0


def cut_by_its_time(cluster: Cluster, run: Path, earlier: Sequence[str], end: str) -> str:
    """The next job that trains in this folder, stopped in the middle, whose time is now to be over at `end`."""
    job = job_in_training(cluster, run, earlier)
    cluster.command("scancel", "--signal=STOP", job)  # the limit takes half a minute to be noticed
    cluster.command("scontrol", "update", f"JobId={job}", f"EndTime={end}")
    return job


def log_of_training(run: Path) -> str:
    """What the training says, in its last attempt."""
    return (run / f"logs/train_classifier/{EXPERIMENT}/resnet50_ce_seed1.log").read_text()
