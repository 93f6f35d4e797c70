"""Fetch one file so that only the right one ever stands under its name.

The bytes go to `<path>.part`, hashed as they pass. A transfer that breaks off goes on where it stopped, in the next
attempt or in the next job, where a version or a checksum proves that both parts are of one file; a note beside the part
has them. Size, checksum and content are checked before the part gets its final name.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan1m.fetch.content import refuse_page
from bioscan1m.fetch.downloads import open_http, open_local
from bioscan1m.fetch.google_drive import open_drive_file, open_drive_folder_file
from bioscan1m.fetch.image_folders import list_images, pack_images
from bioscan1m.fetch.object_stores import open_object
from bioscan1m.fetch.pace import at_pace
from bioscan1m.fetch.part_file import PartFile
from bioscan1m.fetch.repositories import open_hub_file, open_zenodo_file
from bioscan1m.fetch.transfer import BEGINNING, CannotResumeError, Start, Stream, TransferError
from bioscan1m.foundation.archives import state_key_folder
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.sources import local_path, parse_checksum, scheme_of, without_secrets

logger = logging.getLogger(__name__)

# Another kind of store is another opener here, and its scheme in sources.py.
OPENERS = {
    "": open_local,
    "file": open_local,
    "http": open_http,
    "https": open_http,
    "gdrive": open_drive_file,
    "gdrive-folder": open_drive_folder_file,
    "zenodo": open_zenodo_file,
    "hf": open_hub_file,
    "s3": open_object,
    "gs": open_object,
}
LONGEST_PAUSE = 60.0  # seconds between two attempts
# Of a file whose size nobody states: more than any of BIOSCAN-1M, less than what an endless answer would fill.
LARGEST_BYTES = 2**38
BYTES_BETWEEN_LOOKS = 2**26  # at the room on the disk
LEAST_ROOM_BYTES = 2**30  # or a twentieth of a small disk: what a file of unknown size leaves free


def fetch(
    source: str,
    path: str | Path,
    expected_bytes: int | None = None,
    checksum: str | None = None,
    *,
    attempts: int,
    timeout: float,
    first_pause: float = 2.0,
    check: Callable[[Path], None] | None = None,
    key_folder: str | None = None,
    part_of_folder: Mapping[str, Any] | None = None,
) -> None:
    """Fetch a file; a local folder of images is packed into a zip.

    Args:
        source: An address of sources.py.
        path: The file to write.
        expected_bytes: Its size in bytes; None where it is unknown.
        checksum: Its checksum, as chunks.tsv writes it; None for the one that the source states, if any.
        attempts: The number of attempts.
        timeout: Seconds without a byte after which an attempt breaks off; so does one in which 64 KiB take twice that.
        first_pause: Seconds before the second attempt; each further pause is twice as long, or as long as the server
            asks for, but a minute at most.
        check: Raises InputError where the whole file, before it gets its name, is not what it should be, also where its
            end is missing. Without it, and without size and checksum, a file that ends where a connection may have
            broken is fetched twice and compared.
        key_folder: Of a zip or folder of images, the folder below which their paths are their keys, `.` where it has no
            name: the zip then states it. None where their file names are.
        part_of_folder: `first` and `before` of list_images, where only a part of a folder is to be packed.

    Raises:
        InputError: The source cannot be had, breaks off in each attempt (what came stays for the next job) or is not
            what was expected (what came is removed).
    """
    path, folder = Path(path), local_path(source)
    if folder is not None and folder.is_dir():
        if expected_bytes is not None or checksum is not None:
            raise InputError(
                f"{folder}: a folder has no size or checksum; leave both empty, or name a zip in its place"
            )
        pack_images(folder, list_images(folder, **(part_of_folder or {})), path, key_folder)
        return
    if part_of_folder:
        raise InputError(f"{without_secrets(source)}: only a folder has parts, and this is none")
    logger.info("fetching %s from %s", path, without_secrets(source))
    part = PartFile(path, source, parse_checksum(checksum)[0] if checksum else "sha256")
    wanted = _Wanted(source, expected_bytes, checksum, check, timeout)
    _in_attempts(wanted, part, attempts, first_pause)
    if key_folder is not None:
        _state_key_folder(part, wanted, key_folder)
    part.finish()
    logger.info("fetched %s: %d bytes, %s", path, part.size, part.checksum)


@dataclass(frozen=True)
class _Wanted:
    """What is fetched, as `fetch` has it."""

    source: str
    bytes: int | None
    checksum: str | None
    check: Callable[[Path], None] | None
    timeout: float

    @property
    def is_proven_by_content(self) -> bool:
        """Whether a file that is not whole would be noticed by what it is."""
        return self.bytes is not None or self.checksum is not None or self.check is not None


def _in_attempts(wanted: _Wanted, part: PartFile, attempts: int, first_pause: float) -> None:
    for attempt in range(1, attempts + 1):
        try:
            return _attempt(wanted, part)
        except TransferError as error:
            logger.warning("attempt %d of %d broke off at byte %d: %s", attempt, attempts, part.size, error)
            trouble = error
        if attempt < attempts:
            time.sleep(min(max(first_pause * 2 ** (attempt - 1), trouble.pause), LONGEST_PAUSE))
    kept = f"The {part.size} bytes that came are kept; run again to go on from there"
    if part.start(wanted.checksum) == BEGINNING:
        part.remove()
        kept = "Nothing is kept, as nothing would prove that the rest belongs to it; run again to start anew"
    raise InputError(
        f"{part.path}: gave up on {without_secrets(wanted.source)} after {attempts} attempts, the last one: {trouble}. "
        f"{kept} (fetch.attempts and fetch.timeout in the config set how patient to be)"
    )


def _attempt(wanted: _Wanted, part: PartFile) -> None:
    """Fetch what is missing, by two requests at most where one is enough, and check the file.

    A file that is wrong is fetched again where its parts or its end may be the reason. Raises InputError for another.
    """
    start, stream = part.start(wanted.checksum), None
    if start != BEGINNING:
        try:
            stream = _transfer(wanted, part, start)
        except CannotResumeError as reason:
            logger.info("starting again: %s", reason)
    if stream is None:
        stream = _transfer(wanted, part, BEGINNING)
    proven = wanted.is_proven_by_content or stream.checksum is not None
    if not stream.ends_surely and not proven:
        stream = _fetch_again_and_compare(wanted, part)
    try:
        part.verify(wanted.bytes, wanted.checksum or stream.checksum)
        refuse_page(part.file)
        if wanted.check is not None:
            wanted.check(part.file)
    except InputError as error:
        part.restart()
        if stream.offset or not stream.ends_surely:
            logger.warning("%s: %s", part.path, error)
            raise TransferError("what came is not the whole file, or not of one version") from None
        raise InputError(f"{part.path}: {error}. {_origin(wanted)} and was removed") from None


def _fetch_again_and_compare(wanted: _Wanted, part: PartFile) -> Stream:
    logger.info("%s: its source states no length; it is fetched once more to see whether it is whole", part.path)
    first = part.checksum
    stream = _transfer(wanted, part, BEGINNING)
    if part.checksum != first:
        part.restart()
        raise TransferError("the source states no length, and sent two different files")
    return stream


def _transfer(wanted: _Wanted, part: PartFile, start: Start) -> Stream:
    """Append to the part what a source sends from `start` on, or all where it cannot skip; returns what it stated."""
    if start == BEGINNING:
        part.restart()
    opening = OPENERS[scheme_of(wanted.source)](wanted.source, start, wanted.timeout)
    is_local = local_path(wanted.source) is not None
    with opening if is_local else at_pace(opening, wanted.timeout) as stream:
        overlap = part.overlap(stream, wanted.checksum) if stream.offset else b""
        if stream.offset == 0:
            part.restart()
        _append(stream, overlap, part, wanted.bytes)
        return stream


def _append(stream: Stream, overlap: bytes, part: PartFile, expected_bytes: int | None) -> None:
    """Read the stream to its end. Raises TransferError where that comes too soon or too late."""
    total = expected_bytes if stream.total is None else stream.total
    if expected_bytes not in (None, total):
        raise InputError(
            f"{part.path}: the source has {total} bytes, expected were {expected_bytes}; correct the address or the "
            "number of bytes in chunks.tsv"
        )
    _refuse_without_room(part, total)
    if stream.offset:
        logger.info("going on from byte %d", part.size)
    progress = Progress(part.path.name, None if total is None else total - part.size, unit="bytes")
    with part.appending(stream.version, stream.total, stream.checksum) as append:
        for block in _limited(_without(overlap, stream.blocks), part, total):
            append(block)
            progress.advance(len(block))
    if total is not None and part.size < total:
        raise TransferError(f"the source ended at byte {part.size} of {total}")


def _without(overlap: bytes, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks after the bytes that are there. Raises CannotResumeError where they begin with others."""
    for block in blocks:
        known, overlap = overlap[: len(block)], overlap[len(block) :]
        if not block.startswith(known):
            raise CannotResumeError("the source sent other bytes than before")
        if rest := block[len(known) :]:
            yield rest


def _limited(blocks: Iterable[bytes], part: PartFile, total: int | None) -> Iterator[bytes]:
    """The blocks, as far as there may be as many: an answer need not end."""
    look_at = part.size
    for block in blocks:
        if total is not None and part.size + len(block) > total:
            part.restart()
            raise CannotResumeError(f"the source sent more than its {total} bytes")
        if total is None and part.size + len(block) > look_at:
            look_at += BYTES_BETWEEN_LOOKS
            _refuse_endless(part)
        yield block


def _refuse_without_room(part: PartFile, total: int | None) -> None:
    free = shutil.disk_usage(part.file.parent).free
    if total is not None and total - part.size > free:
        raise InputError(
            f"{part.path}: {total - part.size} bytes are to come, and its disk has room for {free}; make room, then "
            "run the same command again"
        ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(part.path))


def _refuse_endless(part: PartFile) -> None:
    """Raises InputError, and removes what came, where a file of unknown size becomes too large or fills the disk."""
    disk = shutil.disk_usage(part.file.parent)
    least = min(LEAST_ROOM_BYTES, disk.total // 20)
    if part.size <= LARGEST_BYTES and disk.free >= least:
        return
    part.remove()
    raise InputError(
        f"{part.path}: {part.size} bytes came without an end, and the source states no size; what came was removed. A "
        f"file of unknown size may have {LARGEST_BYTES} bytes, and leaves {least} free on the disk: check the address, "
        "or state the size in the column bytes of chunks.tsv"
    )


def _state_key_folder(part: PartFile, wanted: _Wanted, key_folder: str) -> None:
    try:
        state_key_folder(part.file, key_folder)
    except InputError as error:
        part.remove()
        raise InputError(f"{part.path}: {error}. {_origin(wanted)} and was removed") from None


def _origin(wanted: _Wanted) -> str:
    return f"It came from {without_secrets(wanted.source)}"
