"""What to do when the disk does not do its part: it is full, it cannot be written to, or a file is gone."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator

GO_ON = "run the same command again: what is finished is kept"
ADVICE = {
    errno.ENOSPC: f"make room (with fetch.keep_chunks: false no chunk stays longer than needed), then {GO_ON}",
    errno.EDQUOT: f"make room within your quota, then {GO_ON}",
    errno.EROFS: f"make the folder of the run writable, then {GO_ON}",
    errno.EACCES: f"make the file or its folder accessible to you, then {GO_ON}",
}
GONE = "it was there when the run began; run the same command again, and it is made or fetched again where that can be"


def advice_on_disk(error: BaseException, inputs: Collection[str]) -> str | None:
    """One message, with what to do, for an error that comes from the disk; None for any other.

    An input that is gone is one; any other file that is not there is a fault of the program.
    """
    for cause in _causes(error):
        for number, advice in ADVICE.items():
            # Libraries in C wrap the system's error in one of their own, and quote it.
            if getattr(cause, "errno", None) == number or os.strerror(number) in str(cause):
                file = getattr(cause, "filename", None)
                return f"{f'{file}: ' if file else ''}{os.strerror(number)}; {advice}"
        if isinstance(cause, FileNotFoundError) and str(cause.filename) in inputs:
            return f"{cause.filename}: no such file; {GONE}"
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it was raised from or while."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
