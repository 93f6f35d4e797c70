"""Chunks are zip files that are streamed, never unpacked: 1.1 million loose files would choke a cluster file system."""

from __future__ import annotations

import os
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from bioscan1m.atomic import write_aside
from bioscan1m.errors import InputError, UnreadableImage
from bioscan1m.provenance.recipe import recipe_of_job

# Far above any photograph (an original is about 5 MB); a larger member is a zip bomb or a mistake.
LARGEST_MEMBER_BYTES = 512 * 2**20
# The header before a member: its signature, the lengths of its name and of what follows the name (APPNOTE 4.3.7).
LOCAL_HEADER, LOCAL_SIGNATURE = struct.Struct("<4s22xHH"), b"PK\x03\x04"
EXTRA_BYTES = 64  # more than writers put there for a file below 4 GB
ENCRYPTED, UTF_8 = 0x1, 0x800  # bits of a member's flags
EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)


class Member(NamedTuple):
    """One entry of a zip that is not a folder."""

    name: str
    image_file: str
    duplicate: bool = False


class ZipReader(AbstractContextManager):
    """The members of a zip, to be read in any order and from several threads at a time.

    Raises InputError where the file is missing or no zip.
    """

    def __init__(self, path: str | Path) -> None:
        self._zip = _open_zip(path)
        self._first = {info.filename: info for info in reversed(self._zip.infolist())}  # getinfo() finds the last
        self._file = self._zip.fp.fileno()
        self._lock = threading.Lock()

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    @property
    def members(self) -> list[Member]:
        """All members that are not folders, in the order of the zip."""
        return _members(self._zip)

    def read(self, member: Member) -> bytes | UnreadableImage:
        """The member's bytes; or, where it cannot be read (bad checksum, encrypted, too large, a second member of the
        same name), the UnreadableImage that says why, so that one bad image never stops a chunk.
        """
        info = self._first[member.name]
        if member.duplicate:
            return UnreadableImage(f"duplicate member name: {member.name}")
        if info.file_size > LARGEST_MEMBER_BYTES:
            return UnreadableImage(f"member of {info.file_size} bytes, more than {LARGEST_MEMBER_BYTES}")
        try:
            return self._read(info)
        except MemoryError:
            raise
        except Exception as error:  # zipfile and its decompressors raise nearly anything on damaged data
            return UnreadableImage(f"unreadable zip member: {error}")

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        data = self._read_stored(info) if info.compress_type == zipfile.ZIP_STORED else None
        return self._read_by_zipfile(info) if data is None else data

    def _read_stored(self, info: zipfile.ZipInfo) -> bytes | None:
        """A member that is not compressed, by one call of the system; None where anything is unusual about it.

        This takes a fifth of the time that zipfile needs for a small image, and no lock.
        """
        name = info.orig_filename.encode("utf-8" if info.flag_bits & UTF_8 else "cp437")
        most = LOCAL_HEADER.size + len(name) + EXTRA_BYTES + info.file_size
        found = os.pread(self._file, most, info.header_offset)
        if info.flag_bits & ENCRYPTED or len(found) < LOCAL_HEADER.size:
            return None
        signature, name_length, extra_length = LOCAL_HEADER.unpack_from(found)
        start = LOCAL_HEADER.size + name_length + extra_length
        data = found[start : start + info.file_size]
        sound = signature == LOCAL_SIGNATURE and found[LOCAL_HEADER.size :].startswith(name)
        return data if sound and len(data) == info.file_size and zlib.crc32(data) == info.CRC else None

    def _read_by_zipfile(self, info: zipfile.ZipInfo) -> bytes:
        with self._lock:  # ZipFile counts its open members without a lock of its own
            file = self._zip.open(info)
        try:
            # Never more than it claims to have; the byte beyond makes zipfile compare the checksum of an empty member.
            return file.read(info.file_size + 1)
        finally:
            with self._lock:
                file.close()


def list_members(path: str | Path) -> list[Member]:
    """All members that are not folders, in the order of the zip; `image_file` is the name without folders.

    Raises InputError where the file is missing or no zip.
    """
    with _open_zip(path) as archive:
        return _members(archive)


def read_members(
    path: str | Path, members: Iterable[Member] | None = None
) -> Iterator[tuple[Member, bytes | UnreadableImage]]:
    """Stream the members' bytes as `ZipReader.read` gives them, by default of all, in the order of the zip."""
    with ZipReader(path) as archive:
        for member in archive.members if members is None else members:
            yield member, archive.read(member)


class ZipWriter(AbstractContextManager):
    """A stored (not deflated) zip with fixed dates and rights, so that the same members give the same bytes.

    It stands under its name only when the `with` block ends without an error; its comment names the recipe of the job.
    """

    def __init__(self, path: str | Path) -> None:
        self._opened = _writing_zip(path)

    def __enter__(self) -> ZipWriter:
        self._zip = self._opened.__enter__()
        return self

    def __exit__(self, *error: object) -> bool | None:
        return self._opened.__exit__(*error)

    def add(self, name: str, data: bytes) -> None:
        """Append one member."""
        info = zipfile.ZipInfo(name, date_time=EPOCH_OF_ZIP)
        info.external_attr = 0o644 << 16
        info.create_system = 3  # Unix, also where Python would note another system
        self._zip.writestr(info, data)


@contextmanager
def _writing_zip(path: str | Path) -> Iterator[zipfile.ZipFile]:
    with write_aside(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        yield archive
        archive.comment = "".join(f"{name} {digest}" for name, digest in recipe_of_job().items()).encode()


def _open_zip(path: str | Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; fetch or make it first") from None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"{path}: not a readable zip file ({error}); remove it and fetch it again") from None


def _members(archive: zipfile.ZipFile) -> list[Member]:
    members, seen = [], set()
    for info in archive.infolist():
        image_file = info.filename.replace("\\", "/").rpartition("/")[2]
        if image_file in ("", ".", ".."):  # a folder
            continue
        members.append(Member(info.filename, image_file, duplicate=image_file in seen))
        seen.add(image_file)
    return members
