"""Copies of inputs on the node's own disk while a job reads them, where the config names such a disk.

A training reads its package in a million small pieces, in another order in each epoch, and a packing reads shards
member by member: a light load for a local disk, a heavy one for the file system that all nodes share. The results are
the same. Where a copy cannot be made, the log has the reason and the job reads the files in place.
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

from bioscan1m.foundation.errors import InputError

logger = logging.getLogger(__name__)

PREFIX = "bioscan1m-"


@contextmanager
def staged(paths: Sequence[str | Path], scratch: str | None) -> Iterator[list[str]]:
    """Yield copies of files in a new folder below `scratch`, which is removed in the end, or the files.

    `scratch` may hold environment variables, such as $SLURM_TMPDIR. The files themselves are yielded where it is None,
    where a variable is not set here, and where the copies do not fit. An InputError of the block names the file that
    was copied, not the copy.
    """
    files = [str(path) for path in paths]
    if scratch is None:
        yield files
        return
    with _own_folder(os.path.expandvars(scratch)) as folder:
        copies = files if folder is None else _copy(files, folder)
        try:
            yield copies
        except InputError as error:
            raise InputError(_with_names(str(error), copies, files)) from None


@contextmanager
def _own_folder(scratch: str) -> Iterator[Path | None]:
    """A new folder below `scratch`, locked while its job lives; None where none can be made."""
    try:
        if "$" in scratch:
            raise OSError("the variable is not set here")
        _remove_left_over(Path(scratch))
        folder, lock = _locked_folder(scratch)
    except OSError as error:
        logger.warning("scratch %s: %s; reading in place", scratch, error)
        yield None
        return
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder(scratch: str) -> tuple[Path, int]:
    """A new folder and a descriptor of it with a lock on it.

    Raises OSError where another job has just taken it for one that is left over, or where the disk has no locks.
    """
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=scratch))
    try:
        return folder, _locked(folder)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


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
