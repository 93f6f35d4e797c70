"""Shards, which are zips of the images of one chunk each: read one after the other, or joined into one zip.

Images come in the order of the shards with unchanged bytes; members of the joined zip have the names that they have in
the shards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bioscan1m.foundation.archives import ZipWriter, list_members, read_members
from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.progress import Progress


def pack_zip(shards: Sequence[str | Path], package: str | Path) -> dict[str, int]:
    """Write the members of all zips, in their order and by their names, to one zip; return the counts in and out.

    Raises InputError for an image_file that two zips hold, a damaged zip, or no image at all.
    """
    images = count_images(shards)
    progress = Progress(Path(package).name, images)
    with ZipWriter(package) as archive:
        for name, _, data in read_shards(shards):
            archive.add(name, data)
            progress.advance()
    return {"in": images, "out": images}


def count_images(shards: Sequence[str | Path]) -> int:
    """The number of images, each in one shard only; checked first, because writing a package takes hours."""
    shard_of: dict[str, str | Path] = {}
    for shard in shards:
        for member in list_members(shard):
            if member.image_file in shard_of:
                raise InputError(
                    f"{member.image_file} is in both {shard_of[member.image_file]} and {shard}: image names must be "
                    "unique over all chunks. Rename one of the two images or take one chunk out of the manifest."
                )
            shard_of[member.image_file] = shard
    if not shard_of:
        raise InputError(f"no image in {', '.join(map(str, shards)) or 'no shard'}: there is nothing to pack")
    return len(shard_of)


def read_shards(shards: Sequence[str | Path]) -> Iterator[tuple[str, str, bytes]]:
    """Name, image_file and bytes of each member, in order."""
    for shard in shards:
        for member, data in read_members(shard):
            if isinstance(data, UnreadableImage):
                raise InputError(f"{shard}: {member.name}: {data}. Remove this file and run again to make it anew.")
            yield member.name, member.image_file, data
