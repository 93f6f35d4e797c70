"""Freed memory stays with the process, for the next photograph."""

from __future__ import annotations

import ctypes
from functools import cache

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
