"""A source that sends so slowly that it would hold a run is given up.

A separate thread reads it: a server may send headers, lengths of chunks or bytes one at a time, each within the
timeout of the connection, and no library returns from such a read.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from bioscan1m.fetch.transfer import BLOCK_BYTES, Stream, TransferError
from bioscan1m.foundation.errors import InputError

BLOCKS_AHEAD = 8
TIMEOUTS_TO_OPEN = 10  # redirects, pages of a store and lists of a folder may all come before the first byte
TIMEOUTS_PER_BLOCK = 2
SECONDS_BETWEEN_LOOKS = 0.5
END = None


@contextmanager
def at_pace(opening: AbstractContextManager[Stream], timeout: float) -> Iterator[Stream]:
    """Open a stream, whose blocks then raise TransferError where they come too slowly.

    `timeout` is in seconds. The first byte may take ten times that, and each 64 KiB that follow twice that.
    """
    reader = _Reader(opening)
    reader.start()
    try:
        stream = reader.take(TIMEOUTS_TO_OPEN * timeout)
        assert isinstance(stream, Stream)
        yield replace(stream, blocks=_blocks(reader, TIMEOUTS_PER_BLOCK * timeout))
    finally:
        reader.stop.set()


def _blocks(reader: _Reader, seconds: float) -> Iterator[bytes]:
    """The time that passes while the caller writes a block is not counted."""
    came, left = 0, seconds
    while True:
        begun = time.monotonic()
        block = reader.take(left)
        if not isinstance(block, bytes):
            return
        left -= time.monotonic() - begun
        yield block
        came += len(block)
        if came >= BLOCK_BYTES:
            came, left = 0, seconds


class _Reader(threading.Thread):
    """Puts the stream, its blocks and END, or the error that came in their place, into a queue."""

    def __init__(self, opening: AbstractContextManager[Stream]) -> None:
        super().__init__(daemon=True)
        self._opening = opening
        self._queue: queue.Queue[Stream | bytes | BaseException | None] = queue.Queue(BLOCKS_AHEAD)
        self.stop = threading.Event()

    def run(self) -> None:
        """Read to the end, or until the other side has stopped."""
        self._put(self._read())

    def _read(self) -> BaseException | None:
        """What comes after the blocks: END, or the error that ended them."""
        try:
            with self._opening as stream:
                self._put(stream)
                for block in stream.blocks:
                    if not self._put(block):
                        break
        except (InputError, TransferError, MemoryError):
            return sys.exception()  # `take` raises it on the other side: its text is a message all along
        except Exception:  # whatever a library makes of such an answer; its text may quote an address
            return TransferError("what the source sent makes no sense")
        return END

    def take(self, seconds: float) -> Stream | bytes | None:
        """What comes next. Raises TransferError where nothing comes in this time."""
        try:
            item = self._queue.get(timeout=max(seconds, 0))
        except queue.Empty:
            raise TransferError("the source sends too slowly (fewer than 64 KiB in two timeouts)") from None
        if isinstance(item, BaseException):
            raise item
        return item

    def _put(self, item: Stream | bytes | BaseException | None) -> bool:
        while not self.stop.is_set():
            try:
                self._queue.put(item, timeout=SECONDS_BETWEEN_LOOKS)
            except queue.Full:
                continue
            return True
        return False
