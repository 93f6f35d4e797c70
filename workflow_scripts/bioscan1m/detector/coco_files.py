"""COCO files as label tools write them: their images, each with the boxes that the file gives it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan1m.detector.faults import Faults, shown, some_of
from bioscan1m.detector.given_boxes import BOX, CROWD, POLYGONS, GivenBox, read_box
from bioscan1m.detector.json_values import finite_number, identifier
from bioscan1m.detector.other_formats import format_of_json, format_of_text
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.image_keys import clean_path

logger = logging.getLogger(__name__)

ALL = "all"  # as a category: all are one
OTHER_CATEGORY = "other category"


@dataclass(frozen=True)
class GivenImage:
    """One image of a COCO file, with its boxes; none in an empty well."""

    name: str  # with / between folders, as the file has it
    original: str | None  # its name before Roboflow renamed it, where the file has it
    size: tuple[float, float] | None  # width and height as stated, in pixels
    boxes: tuple[GivenBox, ...]


@dataclass(frozen=True)
class CocoFile:
    """The images of a file in its order, and how many annotations are of each form or left out."""

    images: tuple[GivenImage, ...]
    forms: Counter[str]


@dataclass(frozen=True)
class _Annotation:
    image: str
    category: str
    box: GivenBox


def read_coco(path: str | Path, category: str | Sequence[str] | None, faults: Faults) -> CocoFile:
    """All images of a COCO file with the boxes of the chosen categories.

    Args:
        path: the file.
        category: names of the categories that are insects, `all` for all of them; None where the file uses only one.
        faults: where to add what is wrong in single entries.

    Returns:
        The images. An image on which all is a crowd is left out: how many insects it has is not known.

    Raises:
        InputError: the file is no COCO file; the message names the format where it is another.
    """
    coco = _read(path)
    images = _images(_entries(coco, "images", path), faults)
    entries = _entries(coco, "annotations", path)
    found = [_annotation(entry, place, images, faults) for place, entry in enumerate(entries, start=1)]
    annotations = [annotation for annotation in found if annotation is not None]
    names = _category_names(coco, faults)
    chosen = _chosen(annotations, names, category, faults)
    boxes: dict[str, list[GivenBox]] = {image: [] for image in images}
    forms = Counter(_form(annotation, chosen) for annotation in annotations)
    for annotation in annotations:
        if _form(annotation, chosen) in (BOX, POLYGONS):
            boxes[annotation.image].append(annotation.box)
    crowded = {annotation.image for annotation in annotations if annotation.box.form == CROWD}
    kept = {image: given for image, given in images.items() if boxes[image] or image not in crowded}
    _log_left_out(path, forms, [given.name for image, given in images.items() if image not in kept])
    return CocoFile(
        tuple(GivenImage(it.name, it.original, it.size, tuple(boxes[image])) for image, it in kept.items()), forms
    )


def _read(path: str | Path) -> dict[str, Any]:
    try:
        data = Path(path).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"{path}: no such file") from None
    try:
        coco = json.loads(data)  # in UTF-8, -16 or -32, with a byte order mark or without
    except (ValueError, RecursionError) as error:
        other = format_of_text(data[:10_000].decode("utf-8", "replace"))
        raise InputError(f"{path}: {other or f'not JSON ({error})'}") from None
    if not isinstance(coco, dict):
        other = format_of_json(coco) or "not a COCO file: the outermost value must be an object; choose the export COCO"
        raise InputError(f"{path}: {other}")
    return coco


def _entries(coco: dict[str, Any], key: str, path: str | Path) -> list[dict[str, Any]]:
    entries = coco.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        other = format_of_json(coco)
        raise InputError(f"{path}: {other or f'not a COCO file: `{key}` must be a list of objects'}")
    return entries


def _images(entries: list[dict[str, Any]], faults: Faults) -> dict[str, GivenImage]:
    """Id -> image without boxes."""
    images: dict[str, GivenImage] = {}
    ids, names = Counter[str](), Counter[str]()
    for place, entry in enumerate(entries, start=1):
        number = identifier(entry.get("id"))
        words = f"image {place} of the list" if number is None else f"image {number}"
        if number is None:
            faults.add(f"{words} has the id {shown(entry.get('id'))}; it must be a number or text")
        name = _image_name(entry, words, faults)
        size = _size(entry, words, faults)
        if number is not None:
            ids[number] += 1
            images[number] = GivenImage(name or "", _original(entry), size, ())
        if name:
            names[name] += 1
    for what, counts in (("image id", ids), ("image name", names)):
        if twice := [value for value, count in counts.items() if count > 1]:
            faults.add(f"{what} given more than once: {some_of(twice)}")
    return images


def _image_name(entry: dict[str, Any], words: str, faults: Faults) -> str | None:
    name = next((entry[key] for key in ("file_name", "toras_path") if entry.get(key) not in (None, "")), None)
    if name is None:
        faults.add(f"{words} has neither file_name nor toras_path")
        return None
    if not isinstance(name, str) or not clean_path(name) or not _can_be_written(name):
        faults.add(f"{words} has the name {shown(name)}, which is no file name; mend it")
        return None
    return clean_path(name)


def _original(entry: dict[str, Any]) -> str | None:
    extra = entry.get("extra")
    name = extra.get("name") if isinstance(extra, dict) else None
    return clean_path(name) or None if isinstance(name, str) and _can_be_written(name) else None


def _can_be_written(name: str) -> bool:
    """Whether a name is text: JSON can hold halves of letters."""
    try:
        return bool(name.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _size(entry: dict[str, Any], words: str, faults: Faults) -> tuple[float, float] | None:
    given = [entry.get(key) for key in ("width", "height")]
    if any(value in (None, "", 0, "0") for value in given):
        return None
    width, height = (finite_number(value) for value in given)
    if width is None or height is None or min(width, height) < 1:
        faults.add(f"{words} has the width and height {shown(given)}; they must be numbers of pixels")
        return None
    return width, height


def _annotation(entry: dict[str, Any], place: int, images: dict[str, GivenImage], faults: Faults) -> _Annotation | None:
    number, image = identifier(entry.get("id")), identifier(entry.get("image_id"))
    words = f"annotation {place} of the list" if number is None else f"annotation {number}"
    if image is None or image not in images:
        faults.add(f"{words} is of image {shown(entry.get('image_id'))}, which is not in `images`")
        return None
    category = entry.get("category_id")
    if category is not None and identifier(category) is None:
        faults.add(f"{words} has the category_id {shown(category)}; it must be a number or text")
    box = read_box(entry, f"{words} of {images[image].name}", faults)
    return None if box is None else _Annotation(image, identifier(category) or "", box)


def _category_names(coco: dict[str, Any], faults: Faults) -> dict[str, str]:
    """Id -> name of the categories of a file that lists them."""
    entries = coco.get("categories") or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        faults.add("`categories` must be a list of objects with an id and a name")
        return {}
    names = {identifier(entry.get("id")): identifier(entry.get("name")) for entry in entries}
    return {number: name or number for number, name in names.items() if number is not None}


def _chosen(
    annotations: list[_Annotation], names: dict[str, str], category: str | Sequence[str] | None, faults: Faults
) -> set[str]:
    """Ids of the categories whose boxes are used; a fault where it is not clear which."""
    used = {it.category for it in annotations if it.box.form in (BOX, POLYGONS)}
    words = {number: names.get(number, number or "without category") for number in used}
    listed = some_of(sorted(f"'{name}'" for name in set(words.values())))
    if category == ALL:
        return used
    if category is None:
        if len(set(words.values())) > 1:
            faults.add(
                f"boxes of several categories, {listed}; set `category` of the image set in the config to one of "
                f"them, a list of them, or `{ALL}`"
            )
        return used
    wanted = [category] if isinstance(category, str) else list(category)
    chosen = {number for number in used if number in wanted or words[number] in wanted}
    known = {*names, *names.values(), *words.values()}
    if used and (unknown := [name for name in wanted if name not in known] or ([] if chosen else wanted)):
        faults.add(f"no boxes of the category {some_of(unknown)} (`category` of the image set); there are {listed}")
    return chosen


def _form(annotation: _Annotation, chosen: set[str]) -> str:
    form = annotation.box.form
    return OTHER_CATEGORY if form in (BOX, POLYGONS) and annotation.category not in chosen else form


def _log_left_out(path: str | Path, forms: Counter[str], images: list[str]) -> None:
    if forms[OTHER_CATEGORY]:
        logger.info("%s: %d boxes of other categories are left out", path, forms[OTHER_CATEGORY])
    if forms[CROWD]:
        logger.warning("%s: %d annotations of crowds (iscrowd) are left out", path, forms[CROWD])
    if images:
        logger.warning("%s: %d images with crowds alone are left out: %s", path, len(images), some_of(images))
