"""Arrays in memory that a training shares with the processes that decode its images."""

from __future__ import annotations

import math
import mmap

import numpy as np
from numpy.typing import DTypeLike


def shared_zeros(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """Zeros in memory that this process shares with those that it forks from now on; no file system limits it."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), dtype, math.prod(shape)).reshape(shape)
