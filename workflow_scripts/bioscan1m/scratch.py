"""Inputs on a disk of the node itself, for as long as a job reads them, where the config names one.

A training reads its package in a million small pieces, in another order in each epoch, and a packing reads shards
member by member: little for a local disk, much for the file system that all nodes share. What is read is the same, so
nothing depends on it; where a copy is not to be had, the job says why and reads the files in place.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bioscan1m.errors import InputError

logger = logging.getLogger(__name__)

PREFIX = "bioscan1m-"


@contextmanager
def staged(paths: Sequence[str | Path], scratch: str | None) -> Iterator[list[str]]:
    """Yield copies of files in a folder of their own below `scratch`, which is removed in the end, or the files.

    `scratch` may hold environment variables, such as $SLURM_TMPDIR. The files themselves are yielded where it is None,
    where a variable is not set here, and where the copies do not fit. An InputError of the block names the file that
    was copied, not the copy.
    """
    paths = [str(path) for path in paths]
    if scratch is None:
        yield paths
        return
    with _own_folder(os.path.expandvars(scratch)) as folder:
        copies = paths if folder is None else _copy(paths, folder)
        try:
            yield copies
        except InputError as error:
            raise InputError(_with_names(str(error), copies, paths)) from None


@contextmanager
def _own_folder(scratch: str) -> Iterator[Path | None]:
    """A new folder below `scratch`, locked while its job lives; None where none can be made."""
    try:
        if "$" in scratch:
            raise OSError("the variable is not set here")
        _remove_left_over(Path(scratch))
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=scratch))
        lock = _locked(folder)  # not so where another job has just taken it for one that is left over
    except OSError as error:
        logger.warning("scratch %s: %s; reading in place", scratch, error)
        yield None
        return
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _copy(paths: list[str], folder: Path) -> list[str]:
    """The copies, or the files themselves where there is no room for the copies."""
    copies = [str(folder / str(number) / Path(path).name) for number, path in enumerate(paths)]
    try:
        needed, free = sum(Path(path).stat().st_size for path in paths), shutil.disk_usage(folder).free
        if needed > free:
            raise OSError(f"{needed:,} bytes do not fit into {free:,}")
        for path, copy in zip(paths, copies, strict=True):
            Path(copy).parent.mkdir()
            shutil.copyfile(path, copy)
    except OSError as error:
        logger.warning("scratch %s: %s; reading in place", folder.parent, error)
        shutil.rmtree(folder, ignore_errors=True)
        return paths
    logger.info("copied %d files to the node's own disk: %d bytes in %s", len(paths), needed, folder)
    return copies


def _remove_left_over(scratch: Path) -> None:
    """Remove what jobs left here that were killed: the system has freed their locks."""
    for folder in scratch.glob(f"{PREFIX}*"):
        with suppress(OSError):  # in use, of another user, or just removed by another job
            lock = _locked(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
            logger.info("removed %s, which a killed job had left", folder)


def _locked(folder: Path) -> int:
    """A descriptor of the folder with a lock on it. Raises BlockingIOError where another job has one."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _with_names(message: str, copies: list[str], paths: list[str]) -> str:
    for copy, path in zip(copies, paths, strict=True):
        message = message.replace(copy, path)
    return message
