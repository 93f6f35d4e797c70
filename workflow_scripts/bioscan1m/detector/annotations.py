"""Annotated images as they are after cleaning: photographs by their keys, with boxes in their pixels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bioscan1m.detector.faults import some_of
from bioscan1m.detector.image_names import annotated_members
from bioscan1m.foundation.archives import Member
from bioscan1m.foundation.atomic import write_text
from bioscan1m.foundation.errors import InputError, UnreadableImage, unless_unreadable

Used = TypeVar("Used")

CATEGORY = {"id": 0, "name": "insect"}


@dataclass(frozen=True)
class AnnotatedImage:
    """The insects of one image: boxes (N, 4) float64 of x_min, y_min, x_max, y_max in pixels; N = 0 in an empty well.

    `image_file` is the key of the image, `size` its width and height.
    """

    image_file: str
    boxes: np.ndarray
    size: tuple[int, int]

    def boxes_in(self, width: int, height: int) -> np.ndarray:
        """The boxes in the image of that size. Raises InputError where the boxes are those of another size."""
        if self.size != (width, height):
            raise InputError(
                f"{self.image_file}: its boxes are those of an image of {self.size[0]}x{self.size[1]} pixels, the "
                f"image has {width}x{height}; clean the annotations again"
            )
        return self.boxes


def write_annotations(path: str | Path, images: Sequence[AnnotatedImage]) -> None:
    """Write images as a COCO file in its clean form: keys, sizes, corners as numbers, one category."""
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


def read_annotations(path: str | Path) -> list[AnnotatedImage]:
    """All images of a file of `write_annotations`, in its order."""
    coco = json.loads(Path(path).read_text(encoding="utf-8"))
    boxes: dict[int, list[list[float]]] = {image["id"]: [] for image in coco["images"]}
    for annotation in coco["annotations"]:
        x, y, width, height = annotation["bbox"]
        boxes[annotation["image_id"]].append([x, y, x + width, y + height])
    return [
        AnnotatedImage(
            image["file_name"],
            np.array(boxes[image["id"]], dtype=np.float64).reshape(-1, 4),
            (image["width"], image["height"]),
        )
        for image in coco["images"]
    ]


def pair_with_members(archive: str | Path, images: Sequence[AnnotatedImage]) -> list[tuple[Member, AnnotatedImage]]:
    """The zip's member of each annotated image, in the order of the zip. Raises InputError for those that it lacks."""
    by_key = {image.image_file: image for image in images}
    found = [
        (member, by_key[member.image_file]) for member in annotated_members(archive) if member.image_file in by_key
    ]
    if missing := sorted(by_key.keys() - {image.image_file for _, image in found}):
        raise InputError(f"{archive}: lacks {len(missing)} annotated images: {some_of(missing)}; add them to the zip")
    return found


def use_annotated(name: str, data: bytes | UnreadableImage, use: Callable[[bytes], Used], archive: str | Path) -> Used:
    """Use the file of an annotated image, which must be readable.

    Args:
        name: the image.
        data: bytes of its file, or why it cannot be read.
        use: gives the result.
        archive: zip of the file, for the message.

    Returns:
        `use(data)`.

    Raises:
        InputError: the image cannot be used.
    """
    used = unless_unreadable(use, data)
    if isinstance(used, UnreadableImage):
        raise InputError(f"{archive}: {unusable(name, used)}")
    return used


def unusable(name: str, reason: UnreadableImage) -> str:
    """Why an annotated image cannot be used, and what to do."""
    return f"{name} is annotated but cannot be used: {reason}; mend the image or remove it from the annotations"


def _coco_box(x_min: float, y_min: float, x_max: float, y_max: float) -> dict[str, Any]:
    width, height = x_max - x_min, y_max - y_min
    return {"bbox": [x_min, y_min, width, height], "area": width * height}
