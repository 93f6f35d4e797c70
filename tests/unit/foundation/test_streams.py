"""Work in threads gives the results of work in a row, and knows of which job it is part."""

from __future__ import annotations

from contextvars import ContextVar

import pytest

from bioscan1m.foundation.streams import map_in_order

JOB = ContextVar("job", default="none")


@pytest.mark.parametrize("threads", [1, 4])
def test_results_keep_their_order_and_threads_know_the_job(threads):
    token = JOB.set("resize_chunk")
    try:
        results = list(map_in_order(lambda item: (item, JOB.get()), range(50), threads))
    finally:
        JOB.reset(token)
    assert results == [(item, "resize_chunk") for item in range(50)]
