"""A real SLURM on this machine runs the workflow: GPU jobs on the GPU, fetching beside it, the bytes of a local run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cluster import Cluster, why_not

from workflow_runs import EXPERIMENT, compared_results, smallest_run, snakemake_succeeds

pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]


def jobs_of(cluster: Cluster, rule: str) -> list[dict[str, str]]:
    """The jobs that the cluster got of one rule."""
    return [job for job in cluster.jobs() if job["Comment"].startswith(f"rule_{rule}")]


@pytest.mark.usefixtures("cluster_run")
@pytest.mark.parametrize("rule", ["detect_insects", "fine_tune_detector", "train_classifier", "test_classifier"])
def test_gpu_rules_get_the_gpu_and_its_partition(cluster: Cluster, rule: str) -> None:
    jobs = jobs_of(cluster, rule)
    assert jobs
    for job in jobs:
        assert job["Partition"] == "gpu" and "gres:gpu:1" in job["TresPerJob"]


@pytest.mark.usefixtures("cluster_run")
def test_rules_without_a_gpu_stay_away_from_it(cluster: Cluster) -> None:
    for rule in ("crop_chunk", "resize_chunk", "pack_hdf5"):
        assert {job["Partition"] for job in jobs_of(cluster, rule)} == {"cpu"}


def test_fetching_runs_beside_the_cluster(cluster: Cluster, cluster_run: Path) -> None:
    assert not [job for job in cluster.jobs() if "fetch" in job["Comment"]]
    records = cluster_run / "results/provenance/records"
    where = {path.parent.name: json.loads(path.read_text())["machine"] for path in records.rglob("part1.json")}
    assert where["fetch_chunk"]["slurm_job_id"] is None
    assert where["detect_insects"]["slurm_job_id"] is not None


def test_trainings_read_a_copy_on_the_disk_of_their_node(cluster: Cluster, cluster_run: Path) -> None:
    log = (cluster_run / f"logs/train_classifier/{EXPERIMENT}/resnet50_ce_seed1.log").read_text()
    assert f"bytes in {cluster.folder}/node_disk/" in log
    assert not list(cluster.folder.glob("node_disk/*/*"))


def test_the_results_are_those_of_a_local_run(cluster_run: Path, tmp_path: Path) -> None:
    local = smallest_run(tmp_path / "local")
    snakemake_succeeds(local, "all")
    assert compared_results(cluster_run) == compared_results(local)
