"""The lines on progress: how far, how fast, and how long the rest will take."""

from __future__ import annotations

import pytest

from bioscan1m.foundation import progress
from bioscan1m.foundation.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock shows, to be set."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("total", "done", "seconds", "line"),
    [
        (1000, 100, 10.0, "crops: 100 of 1,000 images, 10.0/s, 1 min 30 s left"),
        (1000, 990, 11.0, "crops: 990 of 1,000 images, 90.0/s, 1 s left"),
        (100_000, 10, 10.0, "crops: 10 of 100,000 images, 1.0/s, 27 h 46 min left"),
        (1000, 1000, 5.0, "crops: 1,000 of 1,000 images, 200.0/s"),
        (None, 100, 10.0, "crops: 100 images, 10.0/s"),
    ],
)
def test_a_line_says_how_far_how_fast_and_how_long_still(clock, caplog, total, done, seconds, line):
    caplog.set_level("INFO")
    counted = Progress("crops", total)
    clock[0] = seconds
    counted.advance(done)
    assert [record.getMessage() for record in caplog.records] == [line]


def test_bytes_are_shown_in_megabytes(clock, caplog):
    caplog.set_level("INFO")
    counted = Progress("part1.zip", 20_000_000, unit="bytes")
    clock[0] = 10.0
    counted.advance(5_000_000)
    assert caplog.records[0].getMessage() == "part1.zip: 5 of 20 MB, 0.5/s, 30 s left"


def test_there_is_a_line_every_ten_seconds_at_most(clock, caplog):
    caplog.set_level("INFO")
    counted = Progress("crops", 100)
    for second in range(1, 26):
        clock[0] = float(second)
        counted.advance()
    assert len(caplog.records) == 2
