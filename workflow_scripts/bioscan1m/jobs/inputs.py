"""The inputs of a job, compared with the records of the jobs that made them, and described for the job's own record.

Small inputs are hashed before the job begins, so that no damaged one is read. Large ones are hashed in the background:
one core suffices, and a file that hash and job read at the same time is read from the disk once. A large file whose
size and time of the last change are those in the record of the job that made it is not hashed again: its description
names that record. A chunk of 20 GB has four readers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from bioscan1m.foundation.digests import describe_file
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.producers import producers
from bioscan1m.jobs.records import Made

logger = logging.getLogger(__name__)

LARGE = 64 * 2**20  # bytes
LATE = 60.0  # seconds in which the file system of a cluster shows each computer what another one wrote
PAUSE = 2.0  # seconds


@contextmanager
def describing_inputs(paths: list[str], refuse_damaged: bool = True) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Compare inputs with the records of their jobs; yield a function that waits for the descriptions of the inputs.

    Args:
        paths: files of the run, which is the working directory.
        refuse_damaged: whether it is an error that a file has other bytes than in the newest record that names it.
            Files that no record names are only described.

    Raises:
        InputError: a small file is damaged; from the yielded function: a large one is, or a file is not what it was
            when the block began. An error within the block is raised as that of a damaged input where there is one.
    """
    inputs = _Inputs(paths, producers(paths), refuse_damaged)
    small = [path for path in paths if inputs.is_read_first(path)]
    with ThreadPoolExecutor() as readers:
        files = dict(zip(small, readers.map(inputs.describe, small), strict=True))
    before = {path: _version(path) for path in paths if path not in files}
    before |= {path: (file["bytes"], file["mtime_ns"]) for path, file in files.items()}
    pool = ThreadPoolExecutor(1)
    waiting = {path: pool.submit(inputs.describe, path) for path in paths if path not in files}

    def described() -> list[dict[str, Any]]:
        done = files | {path: file.result() for path, file in waiting.items()}
        for path in paths:
            if _version(path) != before[path]:
                raise InputError(f"{path} changed while the job read it; run the job again")
        return [done[path] for path in paths]

    try:
        yield described
    except Exception:
        with suppress(OSError):
            described()  # where an input is damaged, that is the reason
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Inputs:
    """The inputs of a job and what the records state of them."""

    def __init__(self, paths: list[str], made: Made, refuse_damaged: bool) -> None:
        self.paths, self._made, self._refuse_damaged = paths, made, refuse_damaged

    def is_read_first(self, path: str) -> bool:
        """Whether the job waits for it: it is small, or its size alone shows that it is damaged."""
        size, _ = _version(path)
        return size < LARGE or (self._refuse_damaged and size != self._stated(path, "bytes", size))

    def describe(self, path: str) -> dict[str, Any]:
        """Its description; raises InputError where it is damaged."""
        size, mtime_ns = _version(path)
        if size >= LARGE and (size, mtime_ns) == (self._stated(path, "bytes"), self._stated(path, "mtime_ns")):
            record, file = self._made[path]
            return file | {"noted_in": record.path}
        file = describe_file(path)
        if not self._refuse_damaged or file["sha256"] == self._stated(path, "sha256", file["sha256"]):
            return file
        return _described_late(path)

    def _stated(self, path: str, key: str, otherwise: Any = None) -> Any:
        """What the newest record states of a file; `otherwise` where no record names it."""
        return self._made[path][1].get(key) if path in self._made else otherwise


def _described_late(path: str) -> dict[str, Any]:
    """The description of a file that is not as in its record, once both are the newest that another computer wrote.

    Raises InputError where they still differ a minute after the file or its record was written, or a minute from now
    where that time lies ahead, because the clock of the file system does.
    """
    latest = time.monotonic() + LATE
    while True:
        file, made = describe_file(path), producers([path])
        if path not in made or file["sha256"] == made[path][1]["sha256"]:
            return file
        record = made[path][0]
        written = max(file["mtime_ns"], Path(record.path).stat().st_mtime_ns) / 1e9
        if time.time() - written >= LATE or time.monotonic() >= latest:
            raise InputError(
                f"{path}: not the file that {record.rule} made, by the record {record.path}; "
                f"remove {path} and run the same command again: {record.rule} makes it anew"
            )
        logger.info("%s is not as in %s; a file system may show one of them late: waiting", path, record.path)
        time.sleep(PAUSE)


def _version(path: str) -> tuple[int, int]:
    """Size and time of the last change."""
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns
