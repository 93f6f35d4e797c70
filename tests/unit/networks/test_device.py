"""A job's cores are filled with passes on a CPU, and a GPU has one at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bioscan1m.networks.device import mixed_precision, passes_at_a_time, prepare_device

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
# What the jobs import; a tensor that one of these made would come before the choice of pages.
COUNT_PAGE_FAULTS = """
import resource
import torch
import bioscan1m.detector.training, bioscan1m.experiments.training, bioscan1m.inference.embeddings
from bioscan1m.networks.device import prepare_device
prepare_device(threads=1, seed=0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(25 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
# The same memory without torch, told to lie in huge pages: what the system has of them at the moment.
COUNT_PAGE_FAULTS_OF_THE_SYSTEM = """
import mmap, resource
memory = mmap.mmap(-1, 100 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(mmap.MADV_HUGEPAGE)
page = bytes(4096)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(25 * 2**10):
    memory.write(page)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize(
    ("device", "cores", "threads", "passes"),
    [("cpu", 12, 4, 3), ("cpu", 2, 4, 1), ("cpu", 2, 1, 2), ("cuda", 12, 1, 1)],
)
def test_passes_fill_the_cores_of_a_cpu(device, cores, threads, passes):
    assert passes_at_a_time(torch.device(device), cores, threads) == passes


@pytest.mark.parametrize(("precision", "half"), [("auto", False), ("float32", False), ("bfloat16", True)])
def test_precision_on_a_cpu(precision, half):
    with mixed_precision(torch.device("cpu"), precision):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert (product.dtype == torch.bfloat16) == half


def test_the_same_seed_draws_the_same_numbers():
    drawn = []
    for _ in range(2):
        prepare_device(threads=1, seed=5)
        drawn.append(torch.rand(3))
    assert torch.equal(*drawn) and torch.are_deterministic_algorithms_enabled()


@pytest.mark.skipif(
    not HUGE_PAGES.exists() or "[never]" in HUGE_PAGES.read_text(), reason="this system has no huge pages to give"
)
def test_large_tensors_lie_in_huge_pages():
    """100 MiB are 25,600 pages of 4 KiB, or 50 of 2 MiB."""
    if page_faults(COUNT_PAGE_FAULTS_OF_THE_SYSTEM) >= 10_000:
        pytest.skip("the memory of this system is in pieces: it has no huge pages to give at the moment")
    assert page_faults(COUNT_PAGE_FAULTS) < 10_000


def page_faults(code: str) -> int:
    library = {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    return int(subprocess.run(command, env=os.environ | library, check=True, stdout=subprocess.PIPE, text=True).stdout)
