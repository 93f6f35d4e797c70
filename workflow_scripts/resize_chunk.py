"""Resize the images of one chunk, photographs or crops, to the size of the packages.

As the released packages were made, by ImageMagick: a Lanczos filter, and the compression of the source. A JPEG is
decoded at the smallest DCT scale that is DECODED_SIDES times the target or more: this costs no sharpness that could be
measured (docs/photographs.md) and less than half of the time of a full decode.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from PIL import Image

from bioscan1m.foundation.archives import Member, list_members
from bioscan1m.foundation.images import (
    Compression,
    compression_of,
    decode,
    encode_small_jpeg,
    image_size,
    scaled_size,
)
from bioscan1m.foundation.quarantine import Quarantine
from bioscan1m.foundation.streams import rewrite_images
from bioscan1m.jobs.context import job

DECODED_SIDES = 4  # at 2 the mean gradient is 1 % lower, at 1 it is 4 %


@dataclass(frozen=True)
class Resize:
    """How images become those of the packages: the config's `resize`, with its names."""

    pixels: int
    side: str  # which one has them: shorter, longer, width or height
    filter: str  # of Pillow
    jpeg_quality: int | str  # or keep: the compression of the source
    jpeg_quality_of_others: int  # with keep, where the source is no JPEG
    decoded_sides: ClassVar[int] = DECODED_SIDES  # the least size of a decoded JPEG, in sides of the target
    optimize: ClassVar[bool] = True  # Huffman tables for each image

    @classmethod
    def recorded(cls, parameters: dict[str, Any]) -> "Resize":
        """Those of the parameters of a job; by the names of version 0.1.0 the images are those that it made."""
        if "short_side" not in parameters:
            return cls(**parameters)
        pixels, quality = parameters["short_side"], parameters["jpeg_quality"]
        return FirstResize(pixels, "shorter", "bilinear", jpeg_quality=quality, jpeg_quality_of_others=quality)


@dataclass(frozen=True)
class FirstResize(Resize):
    """That of version 0.1.0."""

    decoded_sides: ClassVar[int] = 1
    optimize: ClassVar[bool] = False


def resize_image(data: bytes, resize: Resize) -> bytes:
    """The image of a file as JPEG, in the size of the packages. Raises UnreadableImage."""
    size = scaled_size(image_size(data), resize.pixels, resize.side)
    image = decode(data, resize.decoded_sides * min(size))
    if image.size != size:
        image = image.resize(size, Image.Resampling[resize.filter.upper()])
    return encode_small_jpeg(image, _compression(data, resize))


def _compression(data: bytes, resize: Resize) -> Compression:
    if isinstance(resize.jpeg_quality, int):
        return Compression(resize.jpeg_quality, optimize=resize.optimize)
    return compression_of(data) or Compression(resize.jpeg_quality_of_others)


def resize_chunk(
    images: str | Path,
    shard: str | Path,
    quarantine: str | Path,
    resize: Resize,
    package: str,
    chunk: str,
    keep_folders: bool,
    unreadable_limit: float,
    threads: int,
) -> dict[str, int]:
    """Write the shard of resized images and the table of images that this step lost; return their counts.

    Args:
        images: zip of photographs or crops.
        shard: zip to write, with members `bioscan/images/{package}/part{chunk}/{image_file}`, as published.
        quarantine: table to write.
        resize: the settings.
        package: name of the package, and of the stage in the quarantine table.
        chunk: name of the chunk.
        keep_folders: the last folder of a member, where it has one, replaces `part{chunk}`: a published zip of crops
            joins many chunks.
        unreadable_limit: largest fraction of the images that may be unusable.
        threads: threads that decode and encode.

    Returns:
        The numbers of images in, out and quarantined.

    Raises:
        InputError: more than `unreadable_limit` of the images cannot be used.
    """
    members = list_members(images)
    lost = Quarantine(package)

    def transform(_: Member, data: bytes) -> bytes:
        return resize_image(data, resize)

    def folder_of(member: Member) -> str:
        own = PurePosixPath(member.name).parent.name if keep_folders else ""
        return f"bioscan/images/{package}/{f'part{chunk}' if own in ('', '.', '..') else own}"

    written = rewrite_images(
        source=images,
        members=members,
        transform=transform,
        output=shard,
        folder_of=folder_of,
        quarantine=lost,
        threads=threads,
    )
    lost.write(quarantine)
    lost.check(len(members), unreadable_limit, Path(images).name)
    return {"in": len(members), "out": written, "quarantined": len(lost)}


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        record.images = resize_chunk(
            images=inputs.images,
            shard=outputs.shard,
            quarantine=outputs.quarantine,
            resize=Resize.recorded(params.resize),
            package=snakemake.wildcards.package,
            chunk=snakemake.wildcards.chunk,
            keep_folders=params.keep_folders,
            unreadable_limit=params.unreadable_limit,
            threads=snakemake.threads,
        )
