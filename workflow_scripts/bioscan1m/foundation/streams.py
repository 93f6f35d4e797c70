"""Work in several threads, with bounded memory and in order: in general, and on the images of a zip.

Pillow releases Python's lock while it decodes and encodes, so threads suffice to use all cores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import TypeVar

from bioscan1m.foundation.archives import Member, ZipReader, ZipWriter
from bioscan1m.foundation.errors import UnreadableImage, unless_unreadable
from bioscan1m.foundation.memory import keep_freed_memory
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.quarantine import Quarantine

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items in work or waiting per thread: the second is there for a thread that is done before the oldest result is used.
ITEMS_PER_THREAD = 2


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int = 0
) -> Iterator[Result]:
    """`function(item)` of each item, in their order, computed in threads.

    Args:
        function: what to compute.
        items: read as needed: at most 2 * threads + ahead items and results are in memory.
        threads: number of threads.
        ahead: further results that are computed while the reader is busy, as a GPU is with a batch.

    Yields:
        The results.
    """
    keep_freed_memory()
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(copy_context().run, function, item))  # a thread starts with an empty context
            if len(pending) >= ITEMS_PER_THREAD * threads + ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def rewrite_images(
    source: str | Path,
    members: list[Member],
    transform: Callable[[Member, bytes], bytes],
    output: str | Path,
    folder_of: Callable[[Member], str],
    quarantine: Quarantine,
    threads: int,
) -> int:
    """Transform images of a zip and write them to another one, in their order.

    The memory is that of 2 * threads members and `threads` decoded images.

    Args:
        source: zip to read.
        members: members to transform.
        transform: gives the new bytes of a member, or raises UnreadableImage.
        output: zip to write, with members `{folder_of(member)}/{image_file}`.
        folder_of: gives the folder of a member in the output.
        quarantine: gets the members that cannot be read or transformed.
        threads: threads that transform.

    Returns:
        The number of images written.
    """

    def work(member: Member) -> tuple[Member, bytes | UnreadableImage]:
        return member, unless_unreadable(partial(transform, member), images.read(member))

    progress = Progress(Path(output).name, len(members))
    written = 0
    with ZipReader(source) as images, ZipWriter(output) as archive:
        for member, data in map_in_order(work, members, threads):
            if isinstance(data, UnreadableImage):
                quarantine.add(member.image_file, data)
            else:
                archive.add(f"{folder_of(member)}/{member.image_file}", data)
                written += 1
            progress.advance()
    return written
