"""Where networks run: on the GPU if there is one, else on the CPU, where the same seed gives the same bits."""

from __future__ import annotations

import os

import numpy as np
import torch


def prepare_device(threads: int, seed: int, deterministic: bool = False) -> torch.device:
    """Set torch's threads and seeds and choose the device, before the first tensor is made.

    Large tensors in the memory of the CPU get huge pages where the system has them: without, a training of ResNet-50
    spends a quarter of its time on page faults. torch reads the variable when it first allocates.

    On the CPU only deterministic algorithms are allowed. On a GPU they cost time, so that it takes them where it is
    asked to, as far as there are any; torch warns of those that are not.

    Args:
        threads: CPU threads for numerics.
        seed: of torch's global generators.
        deterministic: only deterministic algorithms, on a GPU too.

    Returns:
        The GPU if there is one, else the CPU.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the GPU is first used
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.use_deterministic_algorithms(deterministic or device.type == "cpu", warn_only=device.type == "cuda")
    return device


def seed_of(*numbers: int) -> int:
    """One seed from several numbers, such as the seed of a training and the epoch."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def passes_at_a_time(device: torch.device, cores: int, threads: int) -> int:
    """How many forward passes run side by side: one on a GPU, on a CPU as many as fill the cores of the job."""
    return 1 if device.type == "cuda" else max(1, cores // threads)


def to_device(model: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """The model on the device, in the memory layout that is fastest there."""
    return model.to(device, memory_format=memory_format(device))  # type: ignore[call-overload] # not in torch's types


def memory_format(device: torch.device) -> torch.memory_format:
    """channels_last on a GPU, whose tensor cores want it."""
    return torch.channels_last if device.type == "cuda" else torch.contiguous_format


def mixed_precision(device: torch.device, precision: str = "auto") -> torch.autocast:
    """bfloat16 for operations that tolerate it, if `precision` is bfloat16, or if it is auto on a GPU; else float32."""
    half = precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=half)
