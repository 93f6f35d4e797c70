"""The photographs to predict on, as `inference.photographs` has them: a folder or zip each, a large folder in parts.

A part is stated by the first photograph of the next one, so that it stays the same whatever else comes into the folder,
and so that planning reads no folder to find out which jobs there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TypedDict

from bioscan1m.foundation.image_keys import THIS_FOLDER
from bioscan1m.foundation.sources import Source

PHOTOGRAPHS_PER_PART = 10_000  # as the chunks of BIOSCAN-1M have


class FolderInParts(TypedDict):
    """A folder, and the paths in it of the first photographs of its second, third … part."""

    source: str
    parts: list[str]


Photographs = Mapping[str, str | FolderInParts]


def divide_folder(source: str, images: list[str]) -> str | FolderInParts:
    """The entry of the config for a folder with these images, in their order: in parts where they are many."""
    parts = images[PHOTOGRAPHS_PER_PART::PHOTOGRAPHS_PER_PART]
    return {"source": source, "parts": parts} if parts else source


def photographs_to_predict(named: Photographs) -> dict[str, Source]:
    """Folders and zips by name, and `museum/part1`, `museum/part2` … of a folder `museum` in parts.

    A photograph is known by its path in the folder or zip.
    """
    chunks: dict[str, Source] = {}
    for name, place in named.items():
        if isinstance(place, str):
            chunks[name] = _source(place)
            continue
        ends = pairwise(["", *place["parts"], None])
        for part, (first, before) in zip(_parts(name, place), ends, strict=True):
            chunks[part] = {**_source(place["source"]), "first": first or "", "before": before}
    return chunks


def parts_of_folders(named: Photographs) -> dict[str, list[str]]:
    """The names of the parts of each folder that is in parts, by its name."""
    return {name: _parts(name, place) for name, place in named.items() if not isinstance(place, str)}


def wrong_parts(named: Photographs) -> Iterator[str]:
    """What is wrong with the parts of folders."""
    for name, place in named.items():
        if not isinstance(place, str) and place["parts"] != sorted(set(place["parts"])):
            yield f"inference.photographs.{name}.parts: they are not in the order of code points, or one is named twice"


def _parts(name: str, folder: FolderInParts) -> list[str]:
    return [f"{name}/part{number}" for number in range(1, len(folder["parts"]) + 2)]


def _source(place: str) -> Source:
    return {"source": place, "bytes": None, "checksum": None, "key_folder": THIS_FOLDER}
