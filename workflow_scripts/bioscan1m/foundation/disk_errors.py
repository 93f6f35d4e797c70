"""Advice for errors of the disk: it is full, it cannot be written to, or a file is gone."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

GO_ON = "run the same command again: what is finished is kept"
ADVICE = {
    errno.ENOSPC: f"make room (with fetch.keep_chunks: false no chunk stays longer than needed), then {GO_ON}",
    errno.EDQUOT: f"make room within your quota, then {GO_ON}",
    errno.EROFS: f"make the folder of the run writable, then {GO_ON}",
    errno.EACCES: f"make the file or its folder accessible to you, then {GO_ON}",
}
WHILE_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
GONE = "it was there when the run began; run the same command again, and it is made or fetched again where that can be"


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Add the name of the file to an error while it is written: the system names only a file that it cannot open."""
    try:
        yield
    except BaseException as error:
        for cause in _causes(error):
            if _trouble(cause) in WHILE_WRITING and getattr(cause, "filename", None) is None:
                with suppress(AttributeError):  # not every error can have the attribute
                    cause.filename = str(path)  # type: ignore[attr-defined]  # of an OSError, or added to another one
        raise


def advice_on_disk(error: BaseException, inputs: Collection[str]) -> str | None:
    """One message, with what to do, for an error that comes from the disk; None for any other.

    An input that is gone is one; any other file that is not there is a fault of the program.
    """
    for cause in _causes(error):
        number, file = _trouble(cause), getattr(cause, "filename", None)
        if number is not None:
            return f"{f'{file}: ' if file else ''}{os.strerror(number)}; {ADVICE[number]}"
        if isinstance(cause, FileNotFoundError) and str(file) in inputs:
            return f"{file}: no such file; {GONE}"
    return None


def _trouble(error: BaseException) -> int | None:
    """Which of the system's errors above it is. Libraries in C wrap them in one of their own, and quote them."""
    found = (n for n in ADVICE if getattr(error, "errno", None) == n or os.strerror(n) in str(error))
    return next(found, None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it was raised from or while."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
