"""A job's cores are filled with passes on a CPU, and a GPU has one at a time."""

from __future__ import annotations

import pytest
import torch

from bioscan1m.device import mixed_precision, passes_at_a_time, prepare_device


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
