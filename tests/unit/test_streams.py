"""Work in threads gives the results of work in a row, and knows of which job it is part."""

from __future__ import annotations

from contextvars import ContextVar

import pytest

from bioscan1m.errors import InputError
from bioscan1m.streams import map_in_order, taken_ahead

JOB = ContextVar("job", default="none")


@pytest.mark.parametrize("threads", [1, 4])
def test_results_keep_their_order_and_threads_know_the_job(threads):
    token = JOB.set("resize_chunk")
    try:
        results = list(map_in_order(lambda item: (item, JOB.get()), range(50), threads))
    finally:
        JOB.reset(token)
    assert results == [(item, "resize_chunk") for item in range(50)]


@pytest.mark.parametrize("length", [0, 1, 64, 65, 200])
def test_what_is_taken_ahead_is_the_same_in_the_same_order(length):
    assert list(taken_ahead(iter(range(length)))) == list(range(length))


def test_a_failure_of_what_is_taken_ahead_reaches_its_user():
    with pytest.raises(InputError, match="damaged"):
        list(taken_ahead(failing()))


def failing():
    yield from range(100)
    raise InputError("damaged")
