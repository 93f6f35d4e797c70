"""The box of one annotation as a file gives it, before it is known what its numbers mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bioscan1m.detector.faults import Faults, shown
from bioscan1m.detector.json_values import finite_number, finite_numbers, truth
from bioscan1m.detector.masks import Outline, outline_of

# How an annotation gives its box.
BOX, POLYGONS, PLACEHOLDER, CROWD = "box", "polygons", "placeholder", "crowd"
DRAW_ANEW = "draw it upright around the insect, or as a polygon"


@dataclass(frozen=True)
class GivenBox:
    """An annotation: the four numbers of its `bbox`, or the outline of its polygons or mask where it has none.

    `outline` is there beside numbers too, where the annotation has both. `area` is None where the annotation states
    none, or has polygons or a mask, of which it then is.
    """

    annotation: str  # in words, for messages
    form: str
    numbers: tuple[float, float, float, float] | None
    outline: Outline | None
    area: float | None


def read_box(annotation: dict[str, Any], words: str, faults: Faults) -> GivenBox | None:
    """The box of an annotation; None with a fault where it has none.

    Args:
        annotation: the entry of the file.
        words: what it is called in messages.
        faults: where to add what is wrong.

    Returns:
        The box, of the form PLACEHOLDER for [0, 0, 0, 0] without polygons, CROWD for a region of many insects.
    """
    crowd = truth(annotation.get("iscrowd"))
    if crowd is None:
        faults.add(f"{words} has the iscrowd {shown(annotation['iscrowd'])}; it must be 0 or 1")
    if crowd:
        return GivenBox(words, CROWD, None, None, None)
    bbox, segmentation = annotation.get("bbox"), annotation.get("segmentation") or None
    outline = outline_of(segmentation)
    if bbox is None or bbox == []:
        return _outlined(words, bbox, segmentation, outline, faults)
    numbers = finite_numbers(bbox)
    if numbers is None or len(numbers) != 4:
        faults.add(f"{words} has the box {shown(bbox)}; it must be [x, y, width, height]")
        return None
    if not any(numbers) and not segmentation:
        return GivenBox(words, PLACEHOLDER, None, None, None)
    if not segmentation and _is_turned(annotation):
        faults.add(f"{words} is rotated, but its bbox is that of the upright rectangle; {DRAW_ANEW}")
    x, y, width, height = numbers
    area = _area(annotation.get("area"), words, faults)
    return GivenBox(words, BOX, (x, y, width, height), outline, None if segmentation else area)


def _outlined(
    words: str, bbox: object, segmentation: object, outline: Outline | None, faults: Faults
) -> GivenBox | None:
    if segmentation is None:
        faults.add(f"{words} has the box {shown(bbox)} and no polygons; it must be [x, y, width, height]")
        return None
    if outline is None:
        faults.add(f"{words} has polygons without area, or none that COCO knows; mend or remove it")
        return None
    return GivenBox(words, POLYGONS, None, outline, None)


def _is_turned(annotation: dict[str, Any]) -> bool:
    """Whether a rectangle is turned: CVAT's COCO export has the angle, in degrees, beside the upright box."""
    attributes = annotation.get("attributes")
    angle = finite_number(attributes.get("rotation")) if isinstance(attributes, dict) else None
    return angle is not None and angle % 360 != 0


def _area(value: object, words: str, faults: Faults) -> float | None:
    if value is None:
        return None
    area = finite_number(value)
    if area is None:
        faults.add(f"{words} has the area {shown(value)}; it must be a number")
    return area
