"""Settings for all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Threads that wait for each other at every layer wait for minutes where others use the cores too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes depends on what else the machine does.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that run Snakemake, minutes each, come first, so that no process is left with one of them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Each test begins with one thread of torch, however many one before it asked for."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    yield
