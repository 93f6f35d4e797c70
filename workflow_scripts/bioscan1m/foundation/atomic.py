"""A file that exists is complete: outputs are written beside their final name, then renamed."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from bioscan1m.foundation.disk_errors import naming

BYTES_TO_FLUSH = 64 * 2**20
SECONDS_BETWEEN_LOOKS = 0.1


@contextmanager
def write_aside(path: str | Path) -> Iterator[Path]:
    """Yield `<path>.part` to write to; rename it to `path` on success, remove it on any error.

    The data reaches the disk before the new name does, so that a power cut cannot leave an empty file under it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with naming(path):
            with _flushing_meanwhile(part):
                yield part
            flush(part)
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def _flushing_meanwhile(part: Path) -> Iterator[None]:
    """Flush a file each time that it has grown by BYTES_TO_FLUSH, so that the last flush of a large file is short.

    Raises OSError where the disk refuses the data: the system reports that only once.
    """
    finished = Event()
    with ThreadPoolExecutor(1, "flush") as pool:
        flushing = pool.submit(_flush_as_it_grows, part, finished)
        try:
            yield
        finally:
            finished.set()
    flushing.result()


def _flush_as_it_grows(part: Path, finished: Event) -> None:
    flushed = 0
    while not finished.wait(SECONDS_BETWEEN_LOOKS):
        size = part.stat().st_size if part.exists() else 0  # not every writer opens it at once
        if size - flushed >= BYTES_TO_FLUSH:
            flush(part)
            flushed = size


def flush(path: Path) -> None:
    """Wait until the bytes of a file are on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text with the line ends that it has."""
    with write_aside(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def replace_text(path: str | Path, text: str) -> None:
    """As write_text, for a file that several processes may write at the same time: one of their texts is there.

    Its name may be as long as the file system allows.
    """
    own = Path(path).with_name(f".{uuid.uuid4().hex}")
    write_text(own, text)
    own.replace(path)


def write_json(path: str | Path, value: Any) -> None:
    """Write indented JSON with a final line end; keys keep their order, NaN is refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
