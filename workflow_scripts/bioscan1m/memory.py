"""Memory of processes: what is freed stays with one, for the next photograph; and some is for all that one forks."""

from __future__ import annotations

import ctypes
import math
import mmap
from functools import cache

import numpy as np
from numpy.typing import DTypeLike

# Of glibc's mallopt (malloc.h), and what they are set to: the largest threshold that it takes, and half a gigabyte.
M_MMAP_THRESHOLD, LARGEST_THRESHOLD = -3, 32 * 2**20
M_TRIM_THRESHOLD, KEPT_BYTES = -1, 512 * 2**20


@cache
def keep_freed_memory() -> None:
    """Let malloc keep what is freed, once per process; where the C library is another, nothing happens.

    By default glibc gives a decoded photograph (19 MB) back to the system when it is freed, and the next one is paid
    for with 5,000 page faults. Two threads that crop originals do twice as many without them.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def shared_zeros(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Zeros in memory that this process shares with those that it forks from now on; no file system limits it."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), dtype, math.prod(shape)).reshape(shape)
