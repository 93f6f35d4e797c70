"""What runs beside the cluster by default can be a job of it: the head, and downloads in a partition for transfers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from cluster import Cluster, why_not
from slurm_runs import make_site

from workflow_runs import REPOSITORY, smallest_run

pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]

IMAGES = "results/shards/original_256/part1.zip"
TRANSFER = {
    "groups": {"fetch_chunk": "transfer"},
    "set-resources": {"fetch_chunk": {"slurm_partition": "gpu", "runtime": 40}},
}


def test_the_head_and_downloads_are_jobs_where_a_site_wants_them_to_be(cluster: Cluster, tmp_path: Path) -> None:
    """The partition with the GPU stands for one with internet."""
    prepared = tmp_path / "prepared"
    site = make_site(cluster, tmp_path / "site", **TRANSFER, precommand=f"touch {prepared}")
    run = smallest_run(tmp_path / "run")
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--snakefile", f"{REPOSITORY}/Snakefile"]
    head = " ".join([*command, "--directory", str(run), IMAGES])
    log = tmp_path / "head.log"
    options = ["--wait", "--job-name=head", "--time=60", "--mem=4000", "--cpus-per-task=2", f"--output={log}"]
    printed = cluster.command("sbatch", "--parsable", f"--chdir={site}", *options, "--wrap", head)
    jobs = {job["JobId"]: job for job in cluster.jobs()}
    made_in = {
        rule: json.loads((run / f"results/provenance/records/{record}.json").read_text())["machine"]["slurm_job_id"]
        for rule, record in {"fetch": "fetch_chunk/part1", "resize": "resize_chunk/original_256/part1"}.items()
    }
    assert (run / IMAGES).is_file(), log.read_text()
    assert prepared.is_file()  # by a job, before its Python started
    assert jobs[printed.strip()]["JobState"] == "COMPLETED"
    assert (jobs[made_in["fetch"]]["Partition"], jobs[made_in["fetch"]]["TimeLimit"]) == ("gpu", "00:40:00")
    assert jobs[made_in["resize"]]["Partition"] == "cpu"
