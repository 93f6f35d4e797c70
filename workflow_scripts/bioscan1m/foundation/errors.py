"""The two ways in which input can be bad: a job cannot go on, or one image cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


LONGEST_LINE = 1000  # letters of a line of a message; a value in it may have millions


class InputError(ValueError):
    """Input from outside that stops a job: the message has the file, key or row, the finding and the remedy."""


class UnreadableImage(ValueError):  # noqa: N818, also handed on as a value
    """One image that cannot be used. The message is the reason in the quarantine table."""


def unless_unreadable(use: Callable[[bytes], Result], data: bytes | UnreadableImage) -> Result | UnreadableImage:
    """`use(data)`, or the reason why the data could not be read or used."""
    try:
        return data if isinstance(data, UnreadableImage) else use(data)
    except UnreadableImage as reason:
        return reason


def shortened(message: object) -> str:
    """A message of which each line has its beginning and its end, and what is between them where that is short."""
    half = LONGEST_LINE // 2
    lines = str(message).split("\n")
    return "\n".join(line if len(line) <= LONGEST_LINE else f"{line[:half]} … {line[-half:]}" for line in lines)
