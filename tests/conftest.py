"""Settings for all tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

from forked_snakemake import JOBS_FORK_FROM, WARM_JOBS

# Threads that wait for each other at every layer wait for minutes where others use the cores too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes depends on what else the machine does.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that run Snakemake, minutes each, come first, so that no process is left with one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


@pytest.fixture(scope="session")
def warm_jobs() -> Iterator[None]:
    """From here on the jobs of runs fork from one process, which has imported the large packages."""
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/socket"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen([sys.executable, str(WARM_JOBS), address], **pipes) as server:
            assert server.stdout.readline() == b"ready\n"
            os.environ[JOBS_FORK_FROM] = address
            yield
            del os.environ[JOBS_FORK_FROM]
            server.kill()  # the workers of a loader that a test has left may hold its input open


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Each test begins with one thread of torch, however many one before it asked for."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    yield
