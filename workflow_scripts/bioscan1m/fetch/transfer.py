"""What passes between a kind of store and the file that is fetched: where to start, the bytes, and what failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# A broken connection costs the block that was being read, so blocks are small.
BLOCK_BYTES = 2**16


class TransferError(Exception):
    """A transfer broke off and may be taken up again, after `pause` seconds or later; the message is the reason."""

    def __init__(self, reason: str, pause: float = 0) -> None:
        super().__init__(reason)
        self.pause = pause


class CannotResumeError(TransferError):
    """What came does not continue the file where it ends so far; the file can be fetched from its start."""


@dataclass(frozen=True)
class Start:
    """The first byte that is wanted, and of which source: its version and its size in bytes, as far as known."""

    offset: int = 0
    version: str | None = None
    total: int | None = None


BEGINNING = Start()


@dataclass(frozen=True)
class Stream:
    """The bytes of a source from `offset` on: the offset that was asked for, or 0 where the source cannot skip.

    `total` is the size of the whole source in bytes. `version` changes when the source does, by a byte or at all.
    `checksum` is that of the whole source, as chunks.tsv writes it. Each is None where the source does not state it.
    `ends_surely` is false where a connection that breaks looks like the end.
    """

    blocks: Iterable[bytes]
    offset: int
    total: int | None
    version: str | None
    checksum: str | None = None
    ends_surely: bool = True
