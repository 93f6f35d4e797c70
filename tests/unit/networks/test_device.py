"""Where networks run, by which precision, and how many passes at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.gpu_allocation import ALLOCATIONS, allowing_cpu
from bioscan1m.networks.device import computes_bfloat16, mixed_precision, passes_at_a_time, prepare_device

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


@pytest.fixture
def given(monkeypatch):
    """Set what a scheduler sets."""
    for name in ALLOCATIONS:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch.setenv


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("name", ALLOCATIONS)
def test_a_job_that_was_given_a_gpu_and_sees_none_stops_unless_the_cpu_is_allowed(given, name, caplog):
    given(name, "0")
    with pytest.raises(InputError, match=rf"gave this job a GPU \({name}=0\).*cpu_instead_of_gpu: true"):
        prepare_device(threads=1, seed=0)
    with allowing_cpu(True), caplog.at_level("INFO"):
        assert prepare_device(threads=1, seed=0).type == "cpu"
    assert "device: the CPU, 1 threads" in caplog.text


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
@pytest.mark.parametrize("hidden", ["", "-1", "NoDevFiles"])
def test_a_job_without_a_gpu_computes_on_the_cpu(given, hidden):
    given("CUDA_VISIBLE_DEVICES", hidden)
    assert prepare_device(threads=1, seed=0).type == "cpu"


@pytest.mark.parametrize(
    ("gpu", "native"),
    [("P100", False), ("V100", False), ("T4", False), ("A100", True), ("RTX 3090", True), ("H100", True)],
)
def test_bfloat16_is_for_gpus_that_compute_it(gpu, native):
    capability = {"P100": (6, 0), "V100": (7, 0), "T4": (7, 5), "A100": (8, 0), "RTX 3090": (8, 6), "H100": (9, 0)}
    assert computes_bfloat16(capability[gpu]) == native


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
