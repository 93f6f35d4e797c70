"""The two ways in which input can be bad: a job cannot go on, or one image cannot be used."""

from __future__ import annotations


class InputError(ValueError):
    """Input from outside that stops a job: the message names the file, key or row, and says what to do."""


class UnreadableImage(ValueError):  # noqa: N818, also handed on as a value
    """One image that cannot be used. The message is the reason that the quarantine table gives."""
