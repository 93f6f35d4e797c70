"""Resize the images of a chunk to one shorter side (paper, 4.2 and A1.1: 256 pixels), the aspect ratio kept.

A JPEG is decoded at the smallest DCT scale that is not below the target, and the rest of the way is resized with
antialiasing: the step needs a fraction of the time of a full decode.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from bioscan1m.archives import Member, list_members
from bioscan1m.images import decode, encode_jpeg, image_size, resize_shorter_side
from bioscan1m.quarantine import Quarantine
from bioscan1m.streams import rewrite_images


def resize_image(data: bytes, resize: dict[str, Any]) -> bytes:
    """JPEG of the image with a shorter side of `short_side` pixels at `jpeg_quality`. Raises UnreadableImage."""
    side = resize["short_side"]
    resized = resize_shorter_side(decode(data, side), side, image_size(data))
    return encode_jpeg(resized, resize["jpeg_quality"])


def resize_chunk(
    images: str | Path,
    shard: str | Path,
    quarantine: str | Path,
    resize: dict[str, Any],
    package: str,
    chunk: str,
    keep_folders: bool,
    unreadable_limit: float,
    threads: int,
) -> dict[str, int]:
    """Write the shard of resized images and the table of images that this step lost; return their counts.

    Members are named `bioscan/images/{package}/part{chunk}/{image_file}`, as published. With `keep_folders` the last
    folder of each member stands for `part{chunk}`, where it has one: a published zip of crops joins many chunks. Raises
    InputError where more than the fraction `unreadable_limit` of the images cannot be used.
    """
    members = list_members(images)
    lost = Quarantine(package)

    def transform(_: Member, data: bytes) -> bytes:
        return resize_image(data, resize)

    def folder_of(member: Member) -> str:
        own = PurePosixPath(member.name).parent.name if keep_folders else ""
        return f"bioscan/images/{package}/{f'part{chunk}' if own in ('', '.', '..') else own}"

    written = rewrite_images(images, members, transform, shard, folder_of, lost, threads)
    lost.write(quarantine)
    lost.check(len(members), unreadable_limit, Path(images).name)
    return {"in": len(members), "out": written, "quarantined": len(lost)}
