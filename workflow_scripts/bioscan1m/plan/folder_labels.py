"""Labels from the folders in which a user's images lie: `order/family` for `Diptera/Culicidae/IMG_0001.JPG`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from bioscan1m.fetch.image_folders import NAMED
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.image_keys import clean_path, common_folder
from bioscan1m.metadata.table import RANKS, SOURCE_COLUMNS
from bioscan1m.plan.own_images import ImageChunk

NO_LABEL = "-"  # a level of folders, as of drawers, that is no label
OPTION = "--labels-from-folders"
# Columns that are no labels, though they are in the metadata.
OTHER_COLUMNS = {column for column in SOURCE_COLUMNS if column not in RANKS}


@dataclass(frozen=True)
class FolderLabels:
    """The labels of the levels by the path of an image; `strays` are the images that lie at another depth."""

    columns: tuple[str, ...]
    cells: dict[str, dict[str, str]]
    strays: list[str]


def parse_levels(text: str) -> tuple[str, ...]:
    """The names of the levels in a text such as `order/-/genus`, the outermost folder first.

    Raises InputError where one is empty, there twice, no label, or nearly a rank, or where ranks are not in the order
    of the ranks.
    """
    levels = tuple(level.strip() for level in text.split("/"))
    names = [level for level in levels if level != NO_LABEL]
    ranks = [name for name in names if name in RANKS]
    if not names or "" in names:
        raise InputError(
            f"{OPTION}: '{text}' has an empty level; write them as order/family, and - for one without labels"
        )
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{OPTION}: '{name}' is there twice; each level has a name of its own")
        if name in OTHER_COLUMNS:
            raise InputError(f"{OPTION}: '{name}' is another column of the metadata; name the level after what it has")
        if name not in RANKS and (near := difflib.get_close_matches(name.casefold(), RANKS, 1, 0.8)):
            raise InputError(f"{OPTION}: '{name}' is no rank; write {near[0]}, or a name that is less like it")
    if ranks != sorted(ranks, key=RANKS.index):
        raise InputError(f"{OPTION}: '{text}': the outermost folder comes first, so ranks go from coarse to fine")
    return levels


def labels_of_folders(chunks: list[ImageChunk], levels: tuple[str, ...]) -> FolderLabels:
    """Read the labels of images from their folders.

    Args:
        chunks: the images.
        levels: what `parse_levels` gives.

    Returns:
        The labels. An image that lies in fewer or more folders has none; it is one of the strays.

    Raises:
        InputError: no image lies at the depth of the levels.
    """
    cells: dict[str, dict[str, str]] = {}
    strays = []
    for chunk in chunks:
        for path, folders in zip(chunk.paths, _folders(chunk, len(levels)), strict=True):
            if len(folders) == len(levels):
                cells[path] = {name: value for name, value in zip(levels, folders, strict=True) if name != NO_LABEL}
            else:
                strays.append(path)
    if not cells:
        raise InputError(
            f"{OPTION} {'/'.join(levels)}: no image lies in {len(levels)} folders: {', '.join(strays[:NAMED])}; give "
            "the folder above these folders by --images"
        )
    return FolderLabels(tuple(name for name in levels if name != NO_LABEL), cells, strays)


def _folders(chunk: ImageChunk, depth: int) -> list[list[str]]:
    """The folders of each image in its place, without those that all images of a zip share, if they lie deeper."""
    folders = [clean_path(image).split("/")[:-1] for image in chunk.images]
    shared = common_folder(map(clean_path, chunk.images)) if chunk.place.is_file() else ""
    outer = min(shared.count("/") + 1 if shared else 0, max(max(map(len, folders)) - depth, 0))
    return [parts[outer:] for parts in folders]
