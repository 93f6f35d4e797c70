"""Whether a file that was fetched is a whole zip, or no web page, and what it is else."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from bioscan1m.foundation.errors import InputError

SIGNATURE, COMMENT_LENGTH = b"PK", struct.Struct("<H")
FIRST_BYTES = 64


def check_zip(path: Path) -> None:
    """Raise InputError that describes a file which is no whole zip with files in it."""
    with path.open("rb") as file:
        start = file.read(FIRST_BYTES)
    try:
        with zipfile.ZipFile(path) as archive:
            has_files = not all(info.is_dir() for info in archive.infolist())
            if _ends_in_its_comment(path, archive.comment):
                raise zipfile.BadZipFile
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, struct.error):
        raise InputError(f"the file is no zip but {_describe(start)}; check where it comes from") from None
    if not has_files:
        raise InputError("the zip has no files in it; check where it comes from")


def refuse_page(path: Path) -> None:
    """Raise InputError for a web page, by its first bytes: a server need not name its type, and no file here is one."""
    with path.open("rb") as file:
        if _is_page(file.read(FIRST_BYTES)):
            raise InputError("the file is a web page; open its address in a browser to see what it asks for")


def _is_page(start: bytes) -> bool:
    return start.lstrip()[:9].lower().startswith((b"<!doctype", b"<html"))


def _ends_in_its_comment(path: Path, comment: bytes) -> bool:
    """Whether the comment that ends a zip is shorter than it is stated: zipfile takes what is there."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - len(comment) - COMMENT_LENGTH.size, 0))
        return COMMENT_LENGTH.unpack(file.read(COMMENT_LENGTH.size))[0] > len(comment)


def _describe(start: bytes) -> str:
    """What a file is that should have been a zip, by its first bytes; few, for a server may send back a password."""
    if not start:
        return "empty"
    if _is_page(start):
        return "a web page"
    if start.startswith(SIGNATURE):
        return "the beginning of one, cut off or damaged"
    return f"something that begins with {start[:4]!r}"
