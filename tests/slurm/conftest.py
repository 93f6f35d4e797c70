"""One cluster for all tests, and one small run on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cluster import Cluster, running_cluster
from slurm_runs import adapt_profile, finished, on_the_cluster, small_run_folder


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The profile as its comments say: the cluster's partitions are listed by the plugin's own command."""
    folder = tmp_path_factory.mktemp("site")
    partitions = folder / "slurm/partitions.yaml"
    adapt_profile(folder, **{"slurm-partition-config": str(partitions), "slurm-status-command": "squeue"})
    cluster.command(str(Path(sys.executable).with_name("generate-slurm-partition-config")), "-o", str(partitions))
    listed = yaml.safe_load(partitions.read_text())
    listed["partitions"]["gpu"]["max_gpu"] = 1  # a cluster without accounting does not tell
    partitions.write_text(yaml.safe_dump(listed))
    return folder


@pytest.fixture(scope="session")
def cluster_run(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = small_run_folder(tmp_path_factory.mktemp("on the cluster"))
    status, output = finished(on_the_cluster(site, run, "all"))
    assert status == 0, output[-6000:]
    return run
