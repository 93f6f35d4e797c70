"""A line now and then that says how far a job is and how fast it goes."""

from __future__ import annotations

import logging
import time

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Counts what is done and logs a line about every ten seconds and one at the end."""

    def __init__(self, what: str, total: int, unit: str = "images") -> None:
        self._what, self._total, self._unit = what, total, unit
        self._done = 0
        self._start = self._last_line = time.monotonic()

    def advance(self, n: int = 1) -> None:
        """Note that `n` more are done."""
        self._done += n
        now = time.monotonic()
        if self._done >= self._total or now - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = now
            rate = self._done / max(now - self._start, 1e-9)
            logger.info("%s: %d of %d %s, %.1f/s", self._what, self._done, self._total, self._unit, rate)
