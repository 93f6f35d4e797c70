"""Annotated images: COCO boxes as they come, cleaned once and checked.

Two forms are read. The clean one names files in `file_name`. The one that the Toronto Annotation Suite exports (issue
3, point 1) names them in `toras_path`, has no width, height or categories, and gives an empty well a placeholder: an
annotation with the box [0, 0, 0, 0] and no polygon. Both come out the same: an empty well is an image without boxes.
"""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np

from bioscan1m.archives import Member, list_members
from bioscan1m.atomic import write_text
from bioscan1m.errors import InputError, UnreadableImage

logger = logging.getLogger(__name__)

Used = TypeVar("Used")

# Annotation tools round and clip differently; a corner that is further out than this is on another image.
PIXELS_OUTSIDE = 1.0
NAMES_SHOWN = 5
CATEGORY = {"id": 0, "name": "insect"}
# How an annotation gives its box.
BOX, POLYGONS, PLACEHOLDER = "box", "polygons", "placeholder"


@dataclass(frozen=True)
class AnnotatedImage:
    """The insects of one image: boxes (N, 4) float64 of x_min, y_min, x_max, y_max in pixels; N = 0 in an empty well.

    `size` is the width and height that the annotations state, None where they state none.
    """

    image_file: str
    boxes: np.ndarray
    size: tuple[int, int] | None

    def boxes_in(self, width: int, height: int) -> np.ndarray:
        """The boxes, cut off at the edges of the image of that size.

        Raises InputError where the annotations state another size, or where a box lies outside by more than a pixel.
        """
        if self.size not in (None, (width, height)):
            raise InputError(
                f"{self.image_file}: the annotations are of {self.size[0]}x{self.size[1]} pixels, the image has "
                f"{width}x{height}; annotate the images that are given, upright by their EXIF orientation"
            )
        inside = np.clip(self.boxes, 0, [width, height, width, height])
        if (np.abs(inside - self.boxes) > PIXELS_OUTSIDE).any():
            raise InputError(
                f"{self.image_file}: box {self.boxes.tolist()} lies outside the image of {width}x{height} pixels; "
                "mend the annotation"
            )
        if (inside[:, 2:] <= inside[:, :2]).any():
            raise InputError(
                f"{self.image_file}: nothing of a box of {self.boxes.tolist()} lies within the image of "
                f"{width}x{height} pixels; mend or remove the annotation"
            )
        return inside


def read_annotations(path: str | Path) -> list[AnnotatedImage]:
    """All images of a COCO file in its order, with their boxes.

    A box that is missing is that of the polygons. Raises InputError naming the entry for a file that is no COCO
    file, names or ids given twice, an annotation of an unknown image, more than one category, or an impossible box.
    """
    coco = _read(path)
    images = {image["id"]: image for image in _entries(coco, "images", path)}
    annotations = _entries(coco, "annotations", path)
    names = [_image_file(image, path) for image in images.values()]
    _require_unique([image["id"] for image in coco["images"]], "image id", path)
    _require_unique(names, "image name", path)
    _require_one_category(annotations, path)
    boxes: dict[Any, list[list[float]]] = {identifier: [] for identifier in images}
    for annotation in annotations:
        if annotation.get("image_id") not in images:
            raise InputError(f"{path}: annotation {annotation['id']} is of image {annotation.get('image_id')}, unknown")
        boxes[annotation["image_id"]] += _boxes(annotation, path)
    found = [
        AnnotatedImage(name, np.array(boxes[identifier], dtype=np.float64).reshape(-1, 4), _size(image))
        for name, (identifier, image) in zip(names, images.items(), strict=True)
    ]
    _log_counts(path, found)
    return found


def count_forms(path: str | Path) -> Counter[str]:
    """How the annotations of a COCO file give their boxes: `box`, `polygons` alone, or `placeholder`."""
    return Counter(_form(annotation) for annotation in _entries(_read(path), "annotations", path))


def write_annotations(path: str | Path, images: Sequence[AnnotatedImage]) -> None:
    """Write images of known size as a COCO file in its clean form: names, sizes, corners as numbers, one category."""
    boxes = [(number, box) for number, image in enumerate(images, start=1) for box in image.boxes.tolist()]
    coco = {
        "images": [
            {"id": number, "file_name": image.image_file, "width": image.size[0], "height": image.size[1]}
            for number, image in enumerate(images, start=1)
        ],
        "annotations": [
            {"id": number, "image_id": image_id, "category_id": CATEGORY["id"], "iscrowd": 0, **_coco_box(*box)}
            for number, (image_id, box) in enumerate(boxes, start=1)
        ],
        "categories": [CATEGORY],
    }
    write_text(path, json.dumps(coco) + "\n")


def pair_with_members(archive: str | Path, images: list[AnnotatedImage]) -> list[tuple[Member, AnnotatedImage]]:
    """The zip's member of each annotated image, in the order of the zip. Members without annotations are left out.

    Raises InputError that names images which the zip lacks.
    """
    annotated = {image.image_file: image for image in images}
    members = [member for member in list_members(archive) if not member.duplicate]
    if missing := sorted(annotated.keys() - {member.image_file for member in members}):
        raise InputError(f"{archive}: lacks {len(missing)} annotated images: {_some(missing)}; add them to the zip")
    if left_out := [member.image_file for member in members if member.image_file not in annotated]:
        logger.warning(
            "%s: %d images have no annotations and are left out: %s", archive, len(left_out), _some(left_out)
        )
    return [(member, annotated[member.image_file]) for member in members if member.image_file in annotated]


def use_annotated(
    annotated: AnnotatedImage, data: bytes | UnreadableImage, use: Callable[[bytes], Used], archive: str | Path
) -> Used:
    """`use(data)` of an annotated image. Raises InputError that names the image where it cannot be used."""
    try:
        if isinstance(data, UnreadableImage):
            raise data
        return use(data)
    except UnreadableImage as reason:
        raise InputError(
            f"{archive}: {annotated.image_file} is annotated but cannot be used: {reason}; mend the image or remove "
            "it from the annotations"
        ) from None


def _read(path: str | Path) -> dict[str, Any]:
    try:
        coco = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(coco, dict):
        raise InputError(f"{path}: not a COCO file: the outermost value must be an object")
    return coco


def _entries(coco: dict[str, Any], key: str, path: str | Path) -> list[dict[str, Any]]:
    entries = coco.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) and "id" in entry for entry in entries):
        raise InputError(f"{path}: not a COCO file: `{key}` must be a list of objects with an id")
    return entries


def _image_file(image: dict[str, Any], path: str | Path) -> str:
    name = image.get("file_name") or image.get("toras_path")
    if not name:
        raise InputError(f"{path}: image {image['id']} has neither file_name nor toras_path")
    return PurePosixPath(name).name


def _size(image: dict[str, Any]) -> tuple[int, int] | None:
    return (image["width"], image["height"]) if image.get("width") and image.get("height") else None


def _form(annotation: dict[str, Any]) -> str:
    box, polygons = annotation.get("bbox"), annotation.get("segmentation") or []
    if box is None and isinstance(polygons, list) and polygons:
        return POLYGONS
    return PLACEHOLDER if _is_box(box) and box[2] == box[3] == 0 and not polygons else BOX


def _coco_box(x_min: float, y_min: float, x_max: float, y_max: float) -> dict[str, Any]:
    width, height = x_max - x_min, y_max - y_min
    return {"bbox": [x_min, y_min, width, height], "area": width * height}


def _boxes(annotation: dict[str, Any], path: str | Path) -> list[list[float]]:
    """The box of an annotation as corners; none where it is the placeholder of an empty well."""
    box, form = annotation.get("bbox"), _form(annotation)
    if form == PLACEHOLDER:
        return []
    if form == POLYGONS:
        corners = _corners(annotation["segmentation"])
        if corners is None or not (corners[2] > corners[0] and corners[3] > corners[1]):
            raise InputError(f"{path}: annotation {annotation['id']} has polygons without area; mend or remove it")
        return [corners]
    if not _is_box(box):
        raise InputError(f"{path}: annotation {annotation['id']} has the box {box}; it must be [x, y, width, height]")
    x, y, width, height = (float(value) for value in box)
    if width == 0 or height == 0:
        raise InputError(f"{path}: annotation {annotation['id']} has the box {box} without area; mend or remove it")
    return [[x, y, x + width, y + height]]


def _corners(polygons: list[list[float]]) -> list[float] | None:
    """The corners around polygons, each a list x, y, x, y, …; None where they are no such lists."""
    try:
        points = np.concatenate([np.reshape(np.array(polygon, dtype=float), (-1, 2)) for polygon in polygons])
    except (ValueError, TypeError):
        return None
    return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]


def _is_box(value: Any) -> bool:
    """Whether a value is a list of x, y, width and height."""
    numbers = isinstance(value, list) and all(isinstance(number, int | float) for number in value)
    return numbers and len(value) == 4 and all(map(math.isfinite, value)) and min(value[2:]) >= 0


def _require_unique(values: Iterable[Any], what: str, path: str | Path) -> None:
    if twice := [value for value, count in Counter(values).items() if count > 1]:
        raise InputError(f"{path}: {what} given more than once: {_some(twice)}")


def _require_one_category(annotations: list[dict[str, Any]], path: str | Path) -> None:
    categories = sorted({str(annotation.get("category_id")) for annotation in annotations})
    if len(categories) > 1:
        raise InputError(f"{path}: categories {', '.join(categories)}; the detector knows one class, insect")


def _log_counts(path: str | Path, images: list[AnnotatedImage]) -> None:
    boxes = sum(len(image.boxes) for image in images)
    empty = sum(not len(image.boxes) for image in images)
    logger.info("%s: %d images, %d boxes, %d images without an insect", path, len(images), boxes, empty)


def _some(names: list[Any]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(str(name) for name in names[:NAMES_SHOWN]) + more
