"""Which row of a table, or entry of an annotation file, is that of an image: by their names, from strict to lenient.

First by the path, of which one may be the end of the other: `Apidae/1.jpg` is the image of the rows `Apidae/1.jpg`,
`1.jpg` and `photographs/Apidae/1.jpg`. Then, where the folders are others, by a file name that is there only once.
"""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.image_keys import SEPARATOR, path_of_key
from bioscan1m.foundation.user_tables import refuse_faults

logger = logging.getLogger(__name__)

SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".avif", ".heic", ".heif"),
}
# Encodings in which programs write names of members that they do not mark as UTF-8. The reader took them for cp437.
ENCODINGS = ("cp850", "cp1252", "mac_roman", "utf-8", "cp852", "cp1250", "cp866", "cp932", "gb18030", "big5", "euc_kr")

EXAMPLES = 3

Row = TypeVar("Row")
Spell = Callable[[str], str]


@dataclass(frozen=True)
class Step:
    """What is compared, in words for the log."""

    words: str
    image: Spell  # a path of an image, as it is compared
    row: Spell  # a name in a row, as it is compared
    folders: bool = True  # whether folders count
    encodings: bool = False  # whether it can differ from other steps only in names that are not ASCII


def _as_it_is(path: str) -> str:
    return path


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def any_case(path: str) -> str:
    """A path with all letters alike, capital or not, and in one Unicode form."""
    return _composed(path).casefold()


def without_suffix(path: str) -> str:
    """The same without the suffix of an image file."""
    found = any_case(path)
    return found.rpartition(".")[0] if PurePosixPath(found).suffix in SUFFIXES else found


def _of_key(name: str) -> str:
    return path_of_key(name) if SEPARATOR in name and "/" not in name else name


def _in_encoding(encoding: str, path: str) -> str:
    """A name that was taken for cp437 in another encoding; as it is where it cannot be that."""
    try:
        return _composed(path.encode("cp437").decode(encoding))
    except UnicodeError:
        return path


SPELLINGS: tuple[tuple[str, Spell], ...] = (
    ("", _as_it_is),
    (" in another Unicode form", _composed),
    (" in upper and lower case", any_case),
    (" without suffix", without_suffix),
)
STEPS = (
    *(Step(f"by name{words}", spell, spell) for words, spell in SPELLINGS),
    Step("by key", _as_it_is, _of_key),
    *(Step(f"by name{words}, from other folders", spell, spell, folders=False) for words, spell in SPELLINGS),
)


def _steps_of_encodings() -> list[Step]:
    return [
        Step(f"by name in {encoding}", partial(_in_encoding, encoding), _composed, encodings=True)
        for encoding in ENCODINGS
    ]


def other_spellings(path: str) -> list[str]:
    """A name of a zip in the other encodings that it may be in; empty where all of it is ASCII."""
    found = (_in_encoding(encoding, path) for encoding in ENCODINGS)
    return [] if path.isascii() else [name for name in dict.fromkeys(found) if name != path]


def match_names(
    table: str | Path,
    images: Sequence[str],
    rows: Sequence[tuple[str, Row]],
    entry: str = "row",
    remedy: str = "Name the column of the images by --image-column",
    further: Sequence[Step] = (),
) -> dict[str, Row]:
    """The row of each image that has one.

    Args:
        table: the file of the rows, for messages.
        images: paths of images, with / between folders; each once.
        rows: the name of an image, with folders or without, and what belongs to it.
        entry: what a row is called in messages.
        remedy: what to do where no row names an image.
        further: more lenient ways to compare, for what is left.

    Returns:
        Path of an image -> its row. How many were matched in which way is logged.

    Raises:
        InputError: two rows are those of one image, or two images those of one row (the first of these in one message),
            or no image has a row.
    """
    matching = _Matching(table, images, rows, entry)
    for step in (*STEPS, *_steps_of_encodings(), *further):
        matching.take(step)
    refuse_faults(table, matching.faults)
    if rows and images and not matching.found:
        raise InputError(
            f"{table}: no {entry} names an image. {entry.capitalize()}s: {_some(name for name, _ in rows)}; images: "
            f"{_some(images)}. {remedy}"
        )
    return {image: rows[matching.found[image]][1] for image in images if image in matching.found}


class _Matching:
    """What is matched after some steps: `found` has the place of the row of an image, `faults` what is ambiguous.

    Names that are ambiguous in one step are left out of the next ones.
    """

    def __init__(self, table: str | Path, images: Sequence[str], rows: Sequence[tuple[str, Row]], entry: str) -> None:
        self._table, self._images, self._entry = table, images, entry
        self._all_names = [name for name, _ in rows]
        self._names = dict(enumerate(self._all_names))
        self._left = dict.fromkeys(images)
        self.found: dict[str, int] = {}
        self.faults: list[str] = []

    def take(self, step: Step) -> None:
        """Match what is left."""
        if not self._names or all(step.encodings and image.isascii() for image in self._left):
            return
        pairs = self._pairs_by_path(step) if step.folders else self._pairs_by_name_alone(step)
        self.found |= pairs
        for image, place in pairs.items():
            self._drop([image], [place])
        if pairs:
            logger.info("%s: %d %ss found %s", self._table, len(pairs), self._entry, step.words)

    def _drop(self, images: Iterable[str], places: Iterable[int]) -> None:
        for image in images:
            self._left.pop(image, None)
        for place in places:
            self._names.pop(place, None)

    def _pairs_by_path(self, step: Step) -> dict[str, int]:
        """Path of an image -> place of its row, where one path is the end of the other; equal ones come first.

        A row is compared with all images, also those that have one: one of several is no image's own.
        """
        by_path, by_end = _by_paths(self._images, step.image)
        places: dict[str, list[int]] = defaultdict(list)
        for row, of_name in self._rows_by_name(step.row).items():
            of_row = by_path.get(row) or [*by_end.get(row, []), *_of_longer_row(row, by_path)]
            left = [image for image in of_row if image in self._left]
            if len(left) > 1:
                name = self._names[of_name[0]]
                self.faults.append(f"'{name}' is the name of two images, {left[0]} and {left[1]}")
                self._drop([], of_name)
            elif left and len(of_row) == 1:
                places[left[0]] += of_name
        return self._with_one_row(places)

    def _rows_by_name(self, spell: Spell) -> dict[str, list[int]]:
        """The places of the rows that are left by their names as they are compared."""
        found: dict[str, list[int]] = defaultdict(list)
        for place, name in self._names.items():
            found[spell(name)].append(place)
        return dict(found)

    def _with_one_row(self, places: Mapping[str, list[int]]) -> dict[str, int]:
        """Those images that one row alone names; the others are faults."""
        for image, of_image in places.items():
            if len(of_image) > 1:
                both = " and ".join(f"'{self._names[place]}'" for place in of_image[:2])
                self.faults.append(f"two {self._entry}s name the same image, {image}: {both}; keep one of them")
                self._drop([image], of_image)
        return {image: of_image[0] for image, of_image in places.items() if len(of_image) == 1}

    def _pairs_by_name_alone(self, step: Step) -> dict[str, int]:
        """The same by file names that one image and one row alone have, of all.

        A row in a folder that images have is left out: its own image is missing.
        """
        images = [step.image(image) for image in self._images]
        of_images = Counter(map(_name, images))
        of_rows = Counter(_name(step.row(name)) for name in self._all_names)
        rows, folders = {place: step.row(name) for place, name in self._names.items()}, _Folders(images)
        places = {_name(row): place for place, row in rows.items() if not folders.have(row)}
        found = {image: _name(step.image(image)) for image in self._left}
        return {
            image: places[name]
            for image, name in found.items()
            if of_images[name] == of_rows[name] == 1 and name in places
        }


class _Folders:
    """The folders of some paths."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._folders = {path.rpartition("/")[0] for path in paths} - {""}
        self._ends = {end for folder in self._folders for end in _ends(folder)}

    def have(self, path: str) -> bool:
        """Whether the folder of a path is one of them, as far as both are stated."""
        folder = path.rpartition("/")[0]
        return folder in self._folders or folder in self._ends or any(end in self._folders for end in _ends(folder))


def _by_paths(images: Sequence[str], spell: Spell) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The images by their paths as they are compared, and by each end of these that is shorter."""
    by_path: dict[str, list[str]] = defaultdict(list)
    by_end: dict[str, list[str]] = defaultdict(list)
    for image in images:
        path = spell(image)
        by_path[path].append(image)
        for end in _ends(path):
            by_end[end].append(image)
    return dict(by_path), dict(by_end)


def _of_longer_row(row: str, by_path: Mapping[str, list[str]]) -> list[str]:
    """The images whose path is the end of that of a row."""
    return [image for end in _ends(row) for image in by_path.get(end, [])]


def _ends(path: str) -> Iterator[str]:
    """What is left of a path without its first folder, its first two, and so on: for a/b/c.jpg b/c.jpg and c.jpg."""
    while "/" in path:
        path = path.partition("/")[2]
        yield path


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _some(names: Iterable[str]) -> str:
    """The first of them, with the other spellings of those that are not ASCII."""
    shown = ((name, other_spellings(name)[:1]) for name in list(names)[:EXAMPLES])
    return ", ".join(f"{name} (or {other[0]})" if other else name for name, other in shown)
