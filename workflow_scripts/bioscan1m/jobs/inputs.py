"""The inputs of a job, described in the background while the job works.

One core suffices to hash them, and a file that hash and job read at the same time is read from the disk once. A large
file whose size and time of the last change are those in the record of the job that made it is not hashed again: its
description names that record. A chunk of 20 GB has four readers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bioscan1m.foundation.digests import describe_file
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.records import RECORDS, parse_record

LARGE = 64 * 2**20  # bytes; below, hashing is faster than to look for the record


@contextmanager
def describing_inputs(paths: list[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Describe files of the run (the working directory) in the background; yield a function that waits for the result.

    The function raises InputError where a file is not what it was when the block began.
    """
    before = [_version(path) for path in paths]
    pool = ThreadPoolExecutor(1)
    waiting = [pool.submit(_describe, path, *version) for path, version in zip(paths, before, strict=True)]

    def described() -> list[dict[str, Any]]:
        files = [file.result() for file in waiting]
        for path, version in zip(paths, before, strict=True):
            if _version(path) != version:
                raise InputError(f"{path} changed while the job read it; run the job again")
        return files

    try:
        yield described
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _version(path: str) -> tuple[int, int]:
    """Size and time of the last change."""
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns


def _describe(path: str, size: int, mtime_ns: int) -> dict[str, Any]:
    noted = _noted(path, size, mtime_ns) if size >= LARGE else None
    return noted or describe_file(path)


def _noted(path: str, size: int, mtime_ns: int) -> dict[str, Any] | None:
    """The entry of a file in the record of the job that made it, if the file was not written since."""
    for record in sorted(Path(RECORDS).rglob("*.json")):
        with suppress(OSError, ValueError):  # another job may be writing its record, or one is damaged
            data = record.read_bytes()
            outputs = parse_record(record.as_posix(), data).outputs if path.encode() in data else []
            for file in outputs:
                if (file["path"], file["bytes"], file.get("mtime_ns")) == (path, size, mtime_ns):
                    return file | {"noted_in": record.as_posix()}
    return None
