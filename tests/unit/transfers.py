"""What the tests of fetching share: a file, a patient fetch with short pauses, and what must be left on the disk."""

from __future__ import annotations

import hashlib

from bioscan1m.fetch.part_file import OVERLAP_BYTES
from bioscan1m.fetch.transfer import BLOCK_BYTES
from bioscan1m.fetch.verified import fetch

BLOCK = BLOCK_BYTES
DATA = bytes(range(256)) * 2000
SHA256 = "sha256:" + hashlib.sha256(DATA).hexdigest()
MD5 = "md5:" + hashlib.md5(DATA).hexdigest()
OTHER = bytes(reversed(DATA))


def get(source, path, expected_bytes=None, checksum=SHA256, attempts=4, **settings):
    fetch(str(source), path, expected_bytes, checksum, attempts=attempts, timeout=60, first_pause=0.001, **settings)


def ranges(server) -> list[str | None]:
    return [request.headers.get("Range") for request in server.requests]


def rest_from(byte: int) -> str:
    """The range that is asked for where a transfer goes on from this byte: some bytes are fetched twice."""
    return f"bytes={byte - OVERLAP_BYTES}-"


def is_alone(path) -> bool:
    return list(path.parent.iterdir()) == [path]


def nothing_is_left(path) -> bool:
    return not path.parent.exists() or list(path.parent.iterdir()) == []
