"""Chunks are zip files that are streamed, never unpacked: 1.1 million loose files would choke a cluster file system."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from bioscan1m.foundation.atomic import write_aside
from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.image_keys import (
    KEY_FOLDER,
    SEPARATOR,
    THIS_FOLDER,
    clean_path,
    flatten_path,
    image_keys,
    needed_key_folder,
    path_of_key,
)
from bioscan1m.foundation.image_names import is_photograph
from bioscan1m.foundation.recipe_hook import RECIPE_DIGEST, recipe_of_job

logger = logging.getLogger(__name__)

# Far above any photograph (an original is about 5 MB); a larger member is a zip bomb or a mistake.
LARGEST_MEMBER_BYTES = 512 * 2**20
# The header before a member: its signature, the lengths of its name and of what follows the name (APPNOTE 4.3.7).
LOCAL_HEADER, LOCAL_SIGNATURE = struct.Struct("<4s22xHH"), b"PK\x03\x04"
EXTRA_BYTES = 64  # more than writers put there for a file below 4 GB
ENCRYPTED, UTF_8 = 0x1, 0x800  # bits of a member's flags
EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)
FILE_NAMES_ARE = ("file_names", "keys")  # in the comment of a zip: its file names were made from paths already
# What ends a zip: its signature and, 16 bytes later, the length of the comment that follows (APPNOTE 4.3.16).
END_OF_ZIP, LONGEST_END, COMMENT_LENGTH = b"PK\x05\x06", 2**16 + 22, 20
# The field with a member's name in UTF-8 beside one in another encoding: version, CRC-32 of the other (APPNOTE 4.6.9).
UNICODE_PATH, UNICODE_PATH_START = 0x7075, struct.Struct("<BL")


class Member(NamedTuple):
    """One photograph of a zip, by its name there and its key; whether it can be read is not yet known."""

    name: str
    image_file: str
    duplicate: bool = False


class ZipReader(AbstractContextManager):
    """The members of a zip, to be read in any order and from several threads at a time.

    Raises InputError where the file is missing or no zip.
    """

    def __init__(self, path: str | Path) -> None:
        self._zip = _open_zip(path)
        self._first = {member_name(info): info for info in reversed(self._zip.infolist())}  # getinfo() finds the last
        self._file = cast(IO[bytes], self._zip.fp).fileno()  # fp is None only once the zip is closed
        self._lock = threading.Lock()

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    @property
    def members(self) -> list[Member]:
        """All photographs, in the order of the zip."""
        return _members(self._zip)

    def read(self, member: Member) -> bytes | UnreadableImage:
        """The member's bytes, or the reason why it cannot be read, so that one bad image never stops a chunk.

        Reasons are a bad checksum, encryption, too large a size, or an earlier member of the same name. Raises OSError
        where the disk fails.
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
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise  # the disk fails, perhaps for a moment, and not the image; EINVAL is a place that no file has
            return UnreadableImage(f"unreadable zip member: {error}")

    def checksum_and_size(self, member: Member) -> tuple[int, int]:
        """The CRC-32 and the number of bytes that the zip states of a member."""
        info = self._first[member.name]
        return info.CRC, info.file_size

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        data = self._read_stored(info) if info.compress_type == zipfile.ZIP_STORED else None
        return self._read_by_zipfile(info) if data is None else data

    def _read_stored(self, info: zipfile.ZipInfo) -> bytes | None:
        """A member that is not compressed, by one system call; None where anything is unusual about it.

        For a small image this takes a fifth of the time of zipfile, and no lock.
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
        with self._lock:  # ZipFile does not lock its count of open members
            file = self._zip.open(info)
        try:
            # Never more than it claims to have; the byte beyond makes zipfile compare the checksum of an empty member.
            return file.read(info.file_size + 1)
        finally:
            with self._lock:
                file.close()


def list_members(path: str | Path, key_folder: str | None = None) -> list[Member]:
    """All photographs, in the order of the zip.

    `image_file` is the name without folders, or by the path below `key_folder` (image_keys.py), where that is given
    here or by the zip's comment. Members that are no photographs by their names are counted in the log. Raises
    InputError where the file is missing or no zip.
    """
    with _open_zip(path) as archive:
        return _members(archive, key_folder)


def read_members(
    path: str | Path, members: Iterable[Member] | None = None
) -> Iterator[tuple[Member, bytes | UnreadableImage]]:
    """Stream the members' bytes as `ZipReader.read` gives them, by default of all, in the order of the zip."""
    with ZipReader(path) as archive:
        for member in archive.members if members is None else members:
            yield member, archive.read(member)


class ZipWriter(AbstractContextManager):
    """A stored (not deflated) zip with fixed dates and rights, so that the same members give the same bytes.

    It stands under its name only when the `with` block ends without an error; its comment names the recipe of the job
    and the key folder, if there is one.
    """

    def __init__(self, path: str | Path, key_folder: str | None = None) -> None:
        self._opened = _writing_zip(path, key_folder)

    def __enter__(self) -> ZipWriter:
        self._zip = self._opened.__enter__()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._opened.__exit__(*error)

    def add(self, name: str, data: bytes) -> None:
        """Append one member."""
        self._zip.writestr(_fixed_info(name), data)

    def add_file(self, name: str, path: Path) -> None:
        """Append a file as a member, in pieces if it is too large for a photograph: it may not fit into memory."""
        if path.stat().st_size <= LARGEST_MEMBER_BYTES:
            self.add(name, path.read_bytes())
            return
        with path.open("rb") as file, self._zip.open(_fixed_info(name), "w", force_zip64=True) as member:
            shutil.copyfileobj(file, member)


def _fixed_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=EPOCH_OF_ZIP)
    info.external_attr = 0o644 << 16
    info.create_system = 3  # Unix, also where Python would note another system
    return info


def read_comment(archive: zipfile.ZipFile) -> dict[str, str]:
    """The values by their names that a zip's comment has, one a line: those of ZipWriter and `state_key_folder`."""
    lines = archive.comment.decode("utf-8", "replace").split("\n")
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}


def stated_key_folder(path: str | Path) -> str | None:
    """The folder below which the images of a zip are keyed by their paths, if it states one. Raises InputError."""
    with _open_zip(path) as archive:
        return _stated_key_folder(archive)


def state_key_folder(path: str | Path, key_folder: str) -> None:
    """Write into a zip that its images are keyed by their paths below a folder, in place of its comment.

    The comment ends the file, and nothing else is changed; nothing at all where file names are those keys too, or where
    the zip is one of a run, whose file names are keys already.
    """
    with _open_zip(path) as archive:
        has_keys = _has_keys(archive)
        if has_keys and key_folder == THIS_FOLDER:
            logger.info("%s: a zip of a run; its file names are the keys of its images", path)
            return
        photographs = [clean_path(name) for name in _names_of_files(archive) if is_photograph(name)]
        if needed_key_folder(photographs, key_folder) is None:
            return
    comment = _comment({**dict([FILE_NAMES_ARE] if has_keys else []), KEY_FOLDER: flatten_path(key_folder)})
    with open(path, "r+b") as file:
        start = max(file.seek(0, os.SEEK_END) - LONGEST_END, 0)
        file.seek(start)
        end = start + file.read().rindex(END_OF_ZIP)
        file.truncate(end + COMMENT_LENGTH)
        file.seek(end + COMMENT_LENGTH)
        file.write(struct.pack("<H", len(comment)) + comment)


def _comment(values: dict[str, str]) -> bytes:
    return "\n".join(f"{name} {value}" for name, value in values.items()).encode()


@contextmanager
def _writing_zip(path: str | Path, key_folder: str | None) -> Iterator[zipfile.ZipFile]:
    stated = {} if key_folder is None else {KEY_FOLDER: flatten_path(key_folder)}
    with write_aside(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        yield archive
        archive.comment = _comment({**recipe_of_job(), **stated})


def _open_zip(path: str | Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; fetch or make it first") from None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"{path}: not a readable zip file ({error}); remove it and fetch it again") from None


def member_name(info: zipfile.ZipInfo) -> str:
    """The name of a member; one that the zip does not mark as UTF-8 is in UTF-8 all the same where it can be.

    Many programs write UTF-8 without its mark; in a name of another encoding the bytes of a letter are hardly ever
    those of one in UTF-8. Info-ZIP adds the name in UTF-8 as a further field.
    """
    if info.flag_bits & UTF_8 or (info.orig_filename.isascii() and not info.extra):
        return info.filename
    raw = info.orig_filename.partition("\0")[0].encode("cp437")
    try:
        return (_unicode_path(info.extra, raw) or raw).decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437")


def _unicode_path(extra: bytes, raw: bytes) -> bytes | None:
    """The name in the field for it, if there is one that belongs to the name `raw`."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        start, name = field[: UNICODE_PATH_START.size], field[UNICODE_PATH_START.size :]
        if kind == UNICODE_PATH and name and start == UNICODE_PATH_START.pack(1, zlib.crc32(raw)):
            return name
    return None


def _members(archive: zipfile.ZipFile, key_folder: str | None = None) -> list[Member]:
    files = _names_of_files(archive)
    names = [name for name in files if is_photograph(name)]
    if others := len(files) - len(names):
        logger.info("%s: %d members are no photographs by their names and are left out", archive.filename, others)
    keys = _keys(archive, [clean_path(name) for name in names], key_folder or _stated_key_folder(archive))
    members, seen = [], set()
    for name, key in zip(names, keys, strict=True):
        members.append(Member(name, key, duplicate=key in seen))
        seen.add(key)
    return members


def _keys(archive: zipfile.ZipFile, paths: list[str], key_folder: str | None) -> list[str]:
    """The keys of images with these paths; those that their file names are already are not made anew."""
    if not _has_keys(archive):
        return image_keys(paths, key_folder)
    start = "" if key_folder in (None, THIS_FOLDER) else flatten_path(key_folder) + SEPARATOR
    return [start + key for key in image_keys(paths, None)]


def _has_keys(archive: zipfile.ZipFile) -> bool:
    """Whether file names are keys made from paths: in what a job wrote, unless it states that its paths are to be."""
    stated = read_comment(archive)
    return FILE_NAMES_ARE in stated.items() or (RECIPE_DIGEST in stated and KEY_FOLDER not in stated)


def _names_of_files(archive: zipfile.ZipFile) -> list[str]:
    """The names of all members but folders, in the order of the zip."""
    names = map(member_name, archive.infolist())
    return [name for name in names if name.replace("\\", "/").rpartition("/")[2] not in ("", ".", "..")]


def _stated_key_folder(archive: zipfile.ZipFile) -> str | None:
    stated = read_comment(archive).get(KEY_FOLDER)
    return None if stated is None else path_of_key(stated)
