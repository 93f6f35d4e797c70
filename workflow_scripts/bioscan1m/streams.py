"""Work in several threads, with bounded memory and in order: in general, and on the images of a zip.

Pillow lets go of Python's lock while it decodes and encodes, so that threads suffice to keep all cores busy.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import TypeVar

from bioscan1m.archives import Member, ZipReader, ZipWriter
from bioscan1m.errors import UnreadableImage
from bioscan1m.memory import keep_freed_memory
from bioscan1m.progress import Progress
from bioscan1m.quarantine import Quarantine

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items in work or waiting per thread: the second keeps a thread busy while the oldest result is being used.
ITEMS_PER_THREAD = 2


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int = 0
) -> Iterator[Result]:
    """`function(item)` of each item, in their order, computed in `threads` threads.

    At most 2 * threads + ahead items or results are held at a time, however long `items` is. `ahead` is the number of
    results that are to be ready when the reader has been away for long, as a GPU is with a batch.
    """
    keep_freed_memory()
    with ThreadPoolExecutor(threads) as pool:
        pending = deque()
        for item in items:
            pending.append(pool.submit(copy_context().run, function, item))  # threads know no context of their own
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
    """Write `transform(member, data)` of members of the zip `source` to the zip `output`.

    It is named `{folder_of(member)}/{image_file}` there. A member that cannot be read, or whose transform raises
    UnreadableImage, goes to the quarantine instead. Returns the number of images written. Memory: 2 * threads members
    and `threads` decoded images.
    """

    def work(member: Member) -> tuple[Member, bytes | UnreadableImage]:
        data = images.read(member)
        if isinstance(data, UnreadableImage):
            return member, data
        try:
            return member, transform(member, data)
        except UnreadableImage as reason:
            return member, reason

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
