"""Fetch one file so that only the right one ever stands under its name.

The bytes go to `<path>.part`, hashed as they pass. A transfer that breaks off goes on where it stopped, in the next
attempt or in the next job; a note beside the part names its source and version, so that two files are never
mixed. Size, checksum and content are checked before the part gets its final name.
"""

from __future__ import annotations

import logging
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from bioscan1m.fetch.downloads import BLOCK_BYTES, Stream, TransferError, open_http, open_local, page_title
from bioscan1m.fetch.google_drive import open_drive_file, open_drive_folder_file
from bioscan1m.fetch.image_folders import list_images, pack_images
from bioscan1m.fetch.object_stores import open_object
from bioscan1m.fetch.part_file import PartFile
from bioscan1m.fetch.repositories import open_hub_file, open_zenodo_file
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
) -> None:
    """Fetch a file; a local folder of images is packed into a zip.

    Args:
        source: An address of sources.py.
        path: The file to write.
        expected_bytes: Its size in bytes; None where it is unknown.
        checksum: Its checksum, as chunks.tsv writes it; None for the one that the source states, if any.
        attempts: The number of attempts.
        timeout: Seconds without a byte after which an attempt breaks off.
        first_pause: Seconds before the second attempt; each further pause is twice as long, or as long as the server
            asks for.
        check: Raises InputError where the whole file, before it gets its name, is not what it should be.
        key_folder: Of a zip or folder of images, the folder below which their paths are their keys, `.` where it has no
            name: the zip then states it. None where their file names are.

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
        pack_images(folder, list_images(folder), path, key_folder)
        return
    logger.info("fetching %s from %s", path, without_secrets(source))
    part = PartFile(path, source, parse_checksum(checksum)[0] if checksum else "sha256")
    stated = _transfer_in_attempts(
        source, part, expected_bytes, attempts=attempts, timeout=timeout, first_pause=first_pause
    )
    try:
        part.verify(expected_bytes, checksum or stated)
        if check is not None:
            check(part.file)
        if key_folder is not None:
            state_key_folder(part.file, key_folder)
    except InputError as error:
        part.remove()
        raise InputError(f"{path}: {error}. It came from {without_secrets(source)} and was removed") from None
    part.finish()
    logger.info("fetched %s: %d bytes, %s", path, part.size, part.checksum)


def check_zip(path: Path) -> None:
    """Raise InputError that describes a file which is no whole zip with files in it."""
    with path.open("rb") as file:
        start = file.read(BLOCK_BYTES)
    try:
        with zipfile.ZipFile(path) as archive:
            if all(info.is_dir() for info in archive.infolist()):
                raise InputError("the zip has no files in it; check where it comes from")
    except zipfile.BadZipFile:
        raise InputError(f"the file is no zip but {_describe(start)}; check where it comes from") from None


def _describe(start: bytes) -> str:
    """What a file is that should have been a zip, by its first bytes."""
    if not start:
        return "empty"
    if start.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        return f"a web page ('{page_title(start.decode('utf-8', 'replace'))}')"
    if start.startswith(b"PK"):
        return "the beginning of one, cut off or damaged"
    return f"something that begins with {start[:16]!r}"


def _transfer_in_attempts(
    source: str, part: PartFile, expected_bytes: int | None, *, attempts: int, timeout: float, first_pause: float
) -> str | None:
    """Returns the checksum that the source states of itself, if any."""
    for attempt in range(1, attempts + 1):
        try:
            return _transfer(source, part, expected_bytes, timeout)
        except TransferError as error:
            logger.warning("attempt %d of %d broke off at byte %d: %s", attempt, attempts, part.size, error)
            trouble = error
        if attempt < attempts:
            time.sleep(min(max(first_pause * 2 ** (attempt - 1), trouble.pause), LONGEST_PAUSE))
    raise InputError(
        f"{part.path}: gave up on {without_secrets(source)} after {attempts} attempts, the last one: {trouble}. The "
        f"{part.size} bytes that came are kept; run again to go on from there (fetch.attempts and fetch.timeout in the "
        "config say how patient to be)"
    )


def _transfer(source: str, part: PartFile, expected_bytes: int | None, timeout: float) -> str | None:
    """Append to the part what is missing of the source; from the start where it cannot skip or has changed."""
    with OPENERS[scheme_of(source)](source, part.size, timeout) as stream:
        has_changed = None not in (stream.version, part.version) and stream.version != part.version
        if stream.offset == 0 or has_changed:
            part.restart()
        if stream.offset == part.size:
            _append(stream, part, expected_bytes)
            return stream.checksum
    return _transfer(source, part, expected_bytes, timeout)


def _append(stream: Stream, part: PartFile, expected_bytes: int | None) -> None:
    """Read the stream to its end. Raises TransferError where that comes too soon."""
    total = expected_bytes if stream.total is None else stream.total
    if expected_bytes not in (None, total):
        raise InputError(
            f"{part.path}: the source has {total} bytes, expected were {expected_bytes}; correct the address or the "
            "number of bytes in chunks.tsv"
        )
    if stream.offset:
        logger.info("going on from byte %d", stream.offset)
    progress = Progress(part.path.name, None if total is None else total - stream.offset, unit="bytes")
    with part.appending(stream.version) as append:
        for block in stream.blocks:
            append(block)
            progress.advance(len(block))
    if total is not None and part.size < total:
        raise TransferError(f"the source ended at byte {part.size} of {total}")
