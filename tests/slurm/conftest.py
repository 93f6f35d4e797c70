"""One cluster for all tests, one small run on it, and a training that is still to be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from cluster import Cluster, running_cluster
from slurm_runs import MODEL, longer_training, make_site, succeeds_on_the_cluster

from workflow_runs import smallest_run, snakemake_succeeds


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with ExitStack() as stack:
        try:
            running = stack.enter_context(running_cluster(tmp_path_factory.mktemp("cluster")))
        except TimeoutError as error:  # some containers lack what the daemons need
            pytest.skip(f"the daemons of SLURM do not start here: {error}")
        yield running


@pytest.fixture(scope="session")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the profile as it is."""
    return make_site(cluster, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def cluster_run(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = smallest_run(tmp_path_factory.mktemp("on the cluster"))
    succeeds_on_the_cluster(site, run, "all")
    return run


@pytest.fixture(scope="session")
def model_of_a_calm_training(cluster_run: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    run = longer_training(cluster_run, tmp_path_factory.mktemp("calm") / "run")
    snakemake_succeeds(run, MODEL)
    return (run / MODEL).read_bytes()


@pytest.fixture
def run(cluster_run: Path, tmp_path: Path) -> Path:
    """The finished run with a longer training still to be done."""
    return longer_training(cluster_run, tmp_path / "run")
