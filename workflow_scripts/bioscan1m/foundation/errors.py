"""The two ways in which input can be bad: a job cannot go on, or one image cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


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
