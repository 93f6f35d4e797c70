"""A file that is on its way: `<path>.part`, its hash so far, and a note of what it is a part of.

The note stands beside the part. It holds a digest of the source's address, and the version, size and checksum that the
source stated, so that a later job knows whether it may go on where this one stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bioscan1m.fetch.transfer import BEGINNING, CannotResumeError, Start, Stream
from bioscan1m.foundation.atomic import flush, write_json
from bioscan1m.foundation.disk_errors import naming
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.sources import parse_checksum

# Fetched once more where a transfer goes on, and compared: some servers send another place than the one they state.
OVERLAP_BYTES = 1024


class PartFile:
    """What is there of a file: `size` is in bytes."""

    def __init__(self, path: str | Path, source: str, algorithm: str) -> None:
        """Take up what an earlier job left of the same source; `algorithm` is the name of a hash, md5 or sha256."""
        self.path = Path(path)
        self.file = self.path.with_name(f"{self.path.name}.part")
        self._note_file = self.path.with_name(f"{self.path.name}.part.json")
        self._source = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()
        self._algorithm = algorithm
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._note = self._read_note()
        if self._note.get("source") == self._source and self.file.is_file():
            self.size = self.file.stat().st_size
            with self.file.open("rb") as file:
                self._hash = hashlib.file_digest(file, algorithm)
        else:
            self.restart()

    @property
    def checksum(self) -> str:
        """Checksum of the bytes so far, as chunks.tsv writes it."""
        return f"{self._algorithm}:{self._hash.hexdigest()}"

    def start(self, checksum: str | None) -> Start:
        """From where to go on.

        That is the beginning unless a version, or a checksum that is expected or stated, can prove that both parts are
        of one file.
        """
        provable = checksum or self._note.get("version") or self._note.get("checksum")
        if not provable or self.size <= OVERLAP_BYTES:
            return BEGINNING
        return Start(self.size - OVERLAP_BYTES, self._note.get("version"), self._note.get("total"))

    def overlap(self, stream: Stream, checksum: str | None) -> bytes:
        """The bytes with which a stream that goes on must begin.

        Raises CannotResumeError where it is of another source, or not surely of the same.
        """
        stated = {"version": stream.version, "total": stream.total, "checksum": stream.checksum}
        known = {name: (self._note.get(name), value) for name, value in stated.items()}
        if any(None not in (before, now) and before != now for before, now in known.values()):
            raise CannotResumeError("the source has changed")
        same = any(known[name][0] is not None and known[name][0] == known[name][1] for name in ("version", "checksum"))
        if not same and checksum is None:
            raise CannotResumeError("the source states no version, so that it may have changed")
        with self.file.open("rb") as file:
            file.seek(stream.offset)
            return file.read()

    def restart(self) -> None:
        """Forget what is there."""
        self.remove()
        self.size, self._note, self._hash = 0, {}, hashlib.new(self._algorithm)

    def remove(self) -> None:
        """Leave nothing behind."""
        self.file.unlink(missing_ok=True)
        self._note_file.unlink(missing_ok=True)

    @contextmanager
    def appending(
        self, version: str | None, total: int | None = None, checksum: str | None = None
    ) -> Iterator[Callable[[bytes], None]]:
        """Yield a function that appends a block of this version of the source, with what it states of itself."""
        stated = {"version": version, "total": total, "checksum": checksum}
        kept = {name: self._note.get(name) for name in stated}
        self._note = {"source": self._source, **{name: stated[name] or kept[name] for name in stated}}
        write_json(self._note_file, self._note)
        with naming(self.file), self.file.open("ab") as file:

            def write(block: bytes) -> None:
                file.write(block)
                self._hash.update(block)
                self.size += len(block)

            yield write

    def verify(self, expected_bytes: int | None, checksum: str | None) -> None:
        """Raise InputError where size or checksum are not those expected; None expects nothing."""
        if expected_bytes not in (None, self.size):
            raise InputError(f"the file has {self.size} bytes, expected were {expected_bytes}; fetch it again")
        found = self.checksum if checksum is None else self._checksum_by(parse_checksum(checksum)[0])
        if checksum is not None and checksum.lower() != found:
            raise InputError(
                f"the file has the checksum {found}, expected was {checksum}; fetch it again, and if that "
                "does not help, the source has changed: correct the checksum in chunks.tsv or the config"
            )

    def finish(self) -> None:
        """Give the file its name, once its bytes are on the disk."""
        with naming(self.path):
            flush(self.file)
            self.file.replace(self.path)
        self._note_file.unlink(missing_ok=True)

    def _checksum_by(self, algorithm: str) -> str:
        """The checksum by any algorithm; one that a source states after the bytes is worth reading them once more."""
        if algorithm == self._algorithm:
            return self.checksum
        with self.file.open("rb") as file:
            return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"

    def _read_note(self) -> dict[str, Any]:
        try:
            note = dict(json.loads(self._note_file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return {}
        return {name: value for name, value in note.items() if type(value) is (int if name == "total" else str)}
