"""A user's own images become chunks: each zip is one, each folder one or more."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan1m.archives import list_members
from bioscan1m.errors import InputError
from bioscan1m.fetch.image_folders import check_unique_names, is_image_name, list_images, pack_images
from bioscan1m.plan.manifest import write_manifest
from bioscan1m.provenance.provenance import file_digest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageChunk:
    """A chunk to be: its name, the zip or folder that holds its images, and their paths in there.

    `is_whole` is False where it is only a part of a folder.
    """

    name: str
    place: Path
    images: list[str]
    is_whole: bool


def plan_chunks(places: list[Path], images_per_chunk: int) -> list[ImageChunk]:
    """Number the chunks from 1 on in the order of the places; a folder of more images than asked for becomes several.

    Raises InputError where a place is neither a zip nor a folder, has no image, or two images have the same name.
    """
    parts = [part for place in places for part in _parts(place, images_per_chunk)]
    check_unique_names(f"{place}/{image}" for place, images, _ in parts for image in images)
    return [ImageChunk(str(number), *part) for number, part in enumerate(parts, 1)]


def write_own_manifest(chunks: list[ImageChunk], run: Path) -> None:
    """Write chunks.tsv to the run's folder, and to source/ in it the zips of those chunks that are parts of folders."""
    write_manifest(run / "chunks.tsv", {chunk.name: _facts(chunk, run) for chunk in chunks})


def _parts(place: Path, images_per_chunk: int) -> Iterator[tuple[Path, list[str], bool]]:
    """Place, images and whether they are all of it."""
    if not place.is_dir():
        yield place, _images_of_zip(place), True
        return
    images = list_images(place)
    for start in range(0, len(images), images_per_chunk):
        yield place, images[start : start + images_per_chunk], len(images) <= images_per_chunk


def _images_of_zip(path: Path) -> list[str]:
    names = [member.name for member in list_members(path)]
    images = [name for name in names if is_image_name(name)]
    if not images:
        raise InputError(f"{path}: no image in this zip")
    if len(images) < len(names):
        logger.warning(
            "%s: %d members are no images by their name; the run will list them", path, len(names) - len(images)
        )
    return images


def _facts(chunk: ImageChunk, run: Path) -> dict[str, Any]:
    """The chunk's row in the manifest. A whole folder is packed when it is fetched, so it has no checksum yet."""
    place = chunk.place.resolve()
    if chunk.is_whole and place.is_dir():
        return {"source": str(place), "bytes": None, "checksum": None}
    source = str(place)
    if not chunk.is_whole:
        source = f"source/part{chunk.name}.zip"
        place = run / source
        pack_images(chunk.place, chunk.images, place)
    return {"source": source, "bytes": place.stat().st_size, "checksum": f"sha256:{file_digest(place)}"}
