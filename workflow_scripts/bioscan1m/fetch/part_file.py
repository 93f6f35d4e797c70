"""A file that is on its way: `<path>.part`, its hash so far, and a note of what it is a part of.

The note stands beside the part. It holds a digest of the source's address (which may have a token in it) and the
version that the source had, so that a later job knows whether it may go on where this one stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bioscan1m.foundation.atomic import flush, write_json
from bioscan1m.foundation.disk_errors import naming
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.sources import parse_checksum


class PartFile:
    """What is there of a file. `size` is in bytes, `version` that of the source, None where nothing is known."""

    def __init__(self, path: str | Path, source: str, algorithm: str) -> None:
        """Take up what an earlier job left of the same source; `algorithm` is the name of a hash, md5 or sha256."""
        self.path = Path(path)
        self.file = self.path.with_name(f"{self.path.name}.part")
        self._note = self.path.with_name(f"{self.path.name}.part.json")
        self._source = hashlib.sha256(source.encode()).hexdigest()
        self._algorithm = algorithm
        self.path.parent.mkdir(parents=True, exist_ok=True)
        note = self._read_note()
        if note.get("source") == self._source and self.file.is_file():
            self.version = note.get("version")
            self.size = self.file.stat().st_size
            with self.file.open("rb") as file:
                self._hash = hashlib.file_digest(file, algorithm)
        else:
            self.restart()

    @property
    def checksum(self) -> str:
        """Checksum of the bytes so far, as chunks.tsv writes it."""
        return f"{self._algorithm}:{self._hash.hexdigest()}"

    def restart(self) -> None:
        """Forget what is there."""
        self.remove()
        self.size, self.version, self._hash = 0, None, hashlib.new(self._algorithm)

    def remove(self) -> None:
        """Leave nothing behind."""
        self.file.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    @contextmanager
    def appending(self, version: str | None) -> Iterator[Callable[[bytes], None]]:
        """Yield a function that appends a block of this version of the source."""
        self.version = version or self.version
        write_json(self._note, {"source": self._source, "version": self.version})
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
        self._note.unlink(missing_ok=True)

    def _checksum_by(self, algorithm: str) -> str:
        """The checksum by any algorithm; one that a source states after the bytes is worth reading them once more."""
        if algorithm == self._algorithm:
            return self.checksum
        with self.file.open("rb") as file:
            return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"

    def _read_note(self) -> dict[str, str | None]:
        try:
            return dict(json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}
