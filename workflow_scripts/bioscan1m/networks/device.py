"""Where networks run: on the GPU if there is one, else on the CPU, where the same seed gives the same bits."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

import numpy as np
import torch

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.gpu_allocation import cpu_allowed, gpu_allocation

logger = logging.getLogger(__name__)

BFLOAT16_SINCE = (8, 0)  # compute capability: Ampere; older GPUs only emulate it, slower than float32


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
        The GPU if there is one, else the CPU. Which it is goes to the log.

    Raises:
        InputError: the scheduler gave the job a GPU that PyTorch does not see, and the config does not allow the CPU.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the GPU is first used
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    device = _choose_device()
    torch.use_deterministic_algorithms(deterministic or device.type == "cpu", warn_only=device.type == "cuda")
    return device


def _choose_device() -> torch.device:
    if torch.cuda.is_available():
        capability = torch.cuda.get_device_capability()
        slow = "" if computes_bfloat16(capability) else "; precision auto is float32, for it has no bfloat16"
        version = ".".join(map(str, capability))
        logger.info("device: the GPU %s, compute capability %s%s", torch.cuda.get_device_name(), version, slow)
        return torch.device("cuda")
    if (allocation := gpu_allocation()) and not cpu_allowed():
        raise InputError(
            f"the scheduler gave this job a GPU ({allocation}), but PyTorch {torch.__version__} sees none: its "
            "build is for the CPU, or the driver of the node is too old (docs/installation.md). "
            "With cpu_instead_of_gpu: true in the config the job computes on the CPU"
        )
    logger.info("device: the CPU, %d threads", torch.get_num_threads())
    return torch.device("cpu")


def computes_bfloat16(capability: tuple[int, int]) -> bool:
    """Whether a GPU of this compute capability computes bfloat16 natively."""
    return capability >= BFLOAT16_SINCE


def random_state() -> list[torch.Tensor]:
    """The states of torch's generators, of the CPU and of the GPU if there is one, each as uint8 (bytes,)."""
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if torch.cuda.is_available() else [])]


def set_random_state(states: Sequence[torch.Tensor]) -> None:
    """Let torch's generators go on from what `random_state` returned, on a machine of the same kind."""
    torch.set_rng_state(states[0])
    for state in states[1:]:
        torch.cuda.set_rng_state(state)


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
    """bfloat16 where it suffices, if `precision` is bfloat16, or auto on a GPU that has it; else float32."""
    native = device.type == "cuda" and computes_bfloat16(torch.cuda.get_device_capability(device))
    half = precision == "bfloat16" or (precision == "auto" and native)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=half)
