"""Whether the scheduler gave the running job a GPU, and whether the job may compute on the CPU all the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# SLURM sets the first two in jobs and steps with GPUs; other schedulers, and users, set the third.
ALLOCATIONS = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "CUDA_VISIBLE_DEVICES")
NO_DEVICE = ("", "-1", "NoDevFiles")  # values of CUDA_VISIBLE_DEVICES that hide all GPUs; the last is SLURM's
_cpu_allowed: ContextVar[bool] = ContextVar("whether a job with a GPU that it does not see uses the CPU", default=False)


@contextmanager
def allowing_cpu(allowed: bool) -> Iterator[None]:
    """Let the block compute on the CPU although it was given a GPU (key `cpu_instead_of_gpu`)."""
    token = _cpu_allowed.set(allowed)
    try:
        yield
    finally:
        _cpu_allowed.reset(token)


def cpu_allowed() -> bool:
    """Whether the running job may compute on the CPU although it was given a GPU."""
    return _cpu_allowed.get()


def gpu_allocation() -> str | None:
    """The variable, with its value, by which the job was given a GPU; None without a GPU."""
    given = ((name, os.environ.get(name, "").strip()) for name in ALLOCATIONS)
    return next((f"{name}={value}" for name, value in given if value not in NO_DEVICE), None)
