"""Memory that processes share."""

from __future__ import annotations

from multiprocessing import get_context

import numpy as np

from bioscan1m.memory import shared_zeros


def test_what_a_forked_process_writes_is_seen_here():
    shared, own = shared_zeros((2, 3), np.int64), np.zeros((2, 3), np.int64)
    assert shared.tolist() == own.tolist() == [[0] * 3] * 2
    writer = get_context("fork").Process(target=lambda: [array.fill(7) for array in (shared, own)])
    writer.start()
    writer.join()
    assert shared.tolist() == [[7] * 3] * 2 and not own.any()
