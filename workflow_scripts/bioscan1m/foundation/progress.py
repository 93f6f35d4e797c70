"""A line now and then on how far a job is, how fast it goes and how long the rest will take at that rate."""

from __future__ import annotations

import logging
import time

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0
BYTES_PER_MEGABYTE = 1e6


class Progress:
    """Counts what is done and logs a line about every ten seconds and one at the end; bytes are shown in MB."""

    def __init__(self, what: str, total: int | None, unit: str = "images") -> None:
        """`total` is None where it is not known; then there is no line at the end."""
        self._what, self._total = what, total
        self._scale, self._unit = (BYTES_PER_MEGABYTE, "MB") if unit == "bytes" else (1.0, unit)
        self._done = 0
        self._start = self._last_line = time.monotonic()

    def advance(self, n: int = 1) -> None:
        """Note that `n` more are done."""
        self._done += n
        now = time.monotonic()
        if self._done == self._total or now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            self._log(self._done / max(now - self._start, 1e-9))

    def _log(self, rate: float) -> None:
        done, of_total, rest = self._done / self._scale, "", ""
        if self._total is not None:
            of_total = f" of {self._total / self._scale:,.0f}"
            left = (self._total - self._done) / rate
            rest = f", {as_duration(left)} left" if left else ""
        logger.info("%s: %s%s %s, %.1f/s%s", self._what, f"{done:,.0f}", of_total, self._unit, rate / self._scale, rest)


def as_duration(seconds: float) -> str:
    """A time in its two largest units, rounded up to whole seconds."""
    minutes, rest = divmod(-int(-seconds // 1), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
