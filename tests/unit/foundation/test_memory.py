"""Photographs that are decoded one after the other reuse memory, which saves page faults; and processes share some."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from bioscan1m.experiments.shared_arrays import shared_zeros

SCRIPTS = Path(__file__).parents[3] / "workflow_scripts"
# Blocks of 20 MB, as a decoded original, in a thread: written, freed, and asked for again.
FAULTS = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from bioscan1m.foundation.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def photograph(_):
    bytearray(20 * 2**20)[::4096] = b"x" * (20 * 2**8)
with ThreadPoolExecutor(1) as pool:
    list(pool.map(photograph, range(3)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    list(pool.map(photograph, range(20)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif("glibc" not in os.confstr("CS_GNU_LIBC_VERSION"), reason="another C library")
def test_freed_blocks_are_used_again():
    pages = 20 * 2**20 // resource.getpagesize()
    run = subprocess.run(
        [sys.executable, "-c", FAULTS, "keep"], env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(run.stdout) < pages  # of twenty times as many


def test_what_a_forked_process_writes_is_seen_here():
    shared, own = shared_zeros((2, 3), np.int64), np.zeros((2, 3), np.int64)
    assert shared.tolist() == own.tolist() == [[0] * 3] * 2
    writer = get_context("fork").Process(target=lambda: [array.fill(7) for array in (shared, own)])
    writer.start()
    writer.join()
    assert shared.tolist() == [[7] * 3] * 2 and not own.any()
