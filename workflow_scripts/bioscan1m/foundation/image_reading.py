"""What the config states for images whose files leave it open (key `images`); the job sets it for all it reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """How to read what a file leaves open.

    `range` are the values of black and white in greyscale images of 16 or 32 bits, `page` is the page to take, counted
    from 0, where several pages of a file are the largest.
    """

    range: tuple[float, float] | None = None
    page: int | None = None


NOTHING_STATED = Reading()
_stated: ContextVar[Reading] = ContextVar("how images are read", default=NOTHING_STATED)


def stated() -> Reading:
    """What is stated for the running job; nothing outside of jobs."""
    return _stated.get()


@contextmanager
def reading_images(reading: Reading) -> Iterator[None]:
    """Read the images in the block as stated."""
    token = _stated.set(reading)
    try:
        yield
    finally:
        _stated.reset(token)
