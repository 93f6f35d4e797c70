"""Whether the boxes of a file can be what they are said to be, and the boxes in pixels of the photographs.

A file states nowhere whether the numbers of a box are x, y, width and height in pixels, shares of the image, or
corners. What contradicts the form that the config names is refused, with the form that fits.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence

import numpy as np

from bioscan1m.detector.coco_files import GivenImage
from bioscan1m.detector.faults import Faults, shown
from bioscan1m.detector.given_boxes import GivenBox

logger = logging.getLogger(__name__)

# What the numbers of a box are.
PIXELS, NORMALISED, CORNERS = "pixels", "normalised", "corners"
BOX_FORMS = {
    PIXELS: "x, y, width, height in pixels",
    NORMALISED: "x, y, width, height from 0 to 1",
    CORNERS: "x_min, y_min, x_max, y_max in pixels",
}
# Annotation tools round and clip differently; a corner that is further out than this is on another image.
PIXELS_OUTSIDE = 1.0
SMALLEST_SIDE = 1.0 - 1e-6  # pixels
OVERLAP = 0.5  # least IoU of a box and its own polygons
AREA_TOLERANCE = 0.02
SCALE_TOLERANCE = 0.02  # of the height: how much a pixel of a smaller image can be

Size = tuple[int, int]
Corners = tuple[float, float, float, float]


def fit_boxes(images: Sequence[tuple[GivenImage, Size]], form: str, faults: Faults) -> list[np.ndarray]:
    """The boxes of each image in the pixels of the photograph, not cut off at its edges.

    Args:
        images: each with the width and height of its photograph.
        form: what the numbers are, a key of BOX_FORMS.
        faults: where to add what is not plausible, with the form that fits all boxes, if there is one.

    Returns:
        For each image its boxes (N, 4) float64 of x_min, y_min, x_max, y_max.
    """
    found = [list(_faults(image, size, form)) for image, size in images]
    for fault in (fault for of_image in found for fault in of_image):
        faults.add(fault)
    if any(found):
        for other in BOX_FORMS:
            if other != form and _all_fit(images, other):
                faults.add_remedy(f"all boxes fit as {BOX_FORMS[other]}: set `boxes: {other}` of the image set")
    elif form == PIXELS and not any(_has_evidence(image) for image, _ in images) and _all_fit(images, CORNERS):
        logger.warning(
            "%s: its boxes fit as %s and as %s, and nothing in the file shows which; they are read as the former",
            faults.path,
            BOX_FORMS[PIXELS],
            BOX_FORMS[CORNERS],
        )
    return [_all_corners(image, size, form) for image, size in images]


def _all_fit(images: Sequence[tuple[GivenImage, Size]], form: str) -> bool:
    """Whether there are boxes, and all are plausible in a form."""
    fits = not any(fault for image, size in images for fault in _faults(image, size, form))
    return fits and any(image.boxes for image, _ in images)


def _has_evidence(image: GivenImage) -> bool:
    """Whether the area or the outline of a box shows what its numbers are."""
    return any(box.area is not None or box.outline is not None for box in image.boxes)


def is_scaled(image: GivenImage, size: Size) -> bool:
    """Whether the annotations are of another size than the photograph has."""
    return any(scale is not None and scale != (1, 1) for scale in {_scale(stated, size) for stated in _stated(image)})


def cut_at_edges(boxes: np.ndarray, size: Size) -> np.ndarray:
    """Boxes (N, 4) cut off at the edges of an image of that width and height."""
    return np.clip(boxes, 0, [*size, *size])


def _stated(image: GivenImage) -> list[tuple[float, float] | None]:
    return [image.size, *(box.outline.frame for box in image.boxes if box.numbers is None and box.outline)]


def _scale(stated: tuple[float, float] | None, size: Size) -> tuple[float, float] | None:
    """Factors of x and y; None where the ratio of the sides differs by more than a pixel of the smaller image."""
    if stated is None:
        return 1.0, 1.0
    (width, height), (real_width, real_height) = stated, size
    factor = real_width / width
    fits = abs(height * factor - real_height) < max(1.0, min(factor, SCALE_TOLERANCE * real_height))
    return (factor, real_height / height) if fits and math.isfinite(factor) else None


def _faults(image: GivenImage, size: Size, form: str) -> Iterable[str]:
    for stated in dict.fromkeys(_stated(image)):
        if stated is not None and _scale(stated, size) is None:
            yield (
                f"{image.name}: the annotations are of {stated[0]:g}x{stated[1]:g} pixels, the image has "
                f"{size[0]}x{size[1]}; give the images that were annotated, upright by their EXIF orientation"
            )
            return
    for box in image.boxes:
        if fault := _fault(image, box, size, form):
            yield fault


def _fault(image: GivenImage, box: GivenBox, size: Size, form: str) -> str | None:
    """What is not plausible in a box of an image whose stated size fits."""
    given = shown(list(box.numbers if box.numbers is not None else box.outline.corners if box.outline else ()))
    words = f"{box.annotation} has the box {given}"
    corners = np.array([_corners(image, box, size, form)])
    inside = cut_at_edges(corners, size)
    scale = _scale(_frame(image, box), size) or (1.0, 1.0)
    if not (np.abs(inside - corners) <= max(PIXELS_OUTSIDE, *scale)).all():
        return f"{words}, which lies outside the image of {size[0]}x{size[1]} pixels; mend the annotation"
    sides, left = (it[0, 2:] - it[0, :2] for it in (corners, inside))
    if not (sides > 0).all():
        return f"{words} without area, if it is {BOX_FORMS[form]}; mend or remove it"
    if form != NORMALISED and box.numbers is not None and max(map(abs, box.numbers)) <= 1:
        return f"{words}, which lies within one pixel; the numbers seem to be shares of the image"
    if not (left > 0).all():
        return f"{words}, of which nothing lies within the image of {size[0]}x{size[1]} pixels; mend or remove it"
    if not (left >= SMALLEST_SIDE).all():
        return f"{words}, of which less than a pixel lies within the image; mend or remove it"
    if contradiction := _contradiction(box, form):
        return f"{words}, {contradiction}"
    return None


def _contradiction(box: GivenBox, form: str) -> str | None:
    """What the annotation's own polygons or area contradict in its box."""
    if box.numbers is None or form == NORMALISED:
        return None
    own, other = (_in_units_of_file(box.numbers, it) for it in (form, CORNERS if form == PIXELS else PIXELS))
    if box.outline is not None and box.outline.frame is None and _overlap(own, box.outline.corners) < OVERLAP:
        return f"but its polygons lie within the corners {shown(list(box.outline.corners))}; mend one of them"
    if box.area is not None and not _has_area(own, box.area) and _has_area(other, box.area):
        return f"but its area of {box.area:g} is that of {BOX_FORMS[CORNERS if form == PIXELS else PIXELS]}"
    return None


def _has_area(corners: Corners, area: float) -> bool:
    """Whether a box has this area, as tools round it and count pixels."""
    width, height = corners[2] - corners[0], corners[3] - corners[1]
    if min(width, height) <= 0:
        return False
    return abs(width * height - area) <= AREA_TOLERANCE * width * height + width + height


def _overlap(first: Corners, second: Corners) -> float:
    """Intersection over union of two boxes."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)


def _in_units_of_file(numbers: Corners, form: str) -> Corners:
    x, y, third, fourth = numbers
    return (x, y, third, fourth) if form == CORNERS else (x, y, x + third, y + fourth)


def _frame(image: GivenImage, box: GivenBox) -> tuple[float, float] | None:
    """The size of the image to which a box belongs, as the file states it: of a mask its own."""
    own = box.outline.frame if box.numbers is None and box.outline else None
    return own or image.size


def _corners(image: GivenImage, box: GivenBox, size: Size, form: str) -> Corners:
    """The corners of a box in pixels of the photograph."""
    masked = box.numbers is None and box.outline is not None and box.outline.frame is not None
    if box.numbers is not None:
        x_min, y_min, x_max, y_max = _in_units_of_file(box.numbers, form)
    elif box.outline is not None:
        x_min, y_min, x_max, y_max = box.outline.corners
    else:
        raise AssertionError("an annotation has a box or an outline")
    across, down = size if form == NORMALISED and not masked else _scale(_frame(image, box), size) or (1.0, 1.0)
    return x_min * across, y_min * down, x_max * across, y_max * down


def _all_corners(image: GivenImage, size: Size, form: str) -> np.ndarray:
    boxes = [_corners(image, box, size, form) for box in image.boxes]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)
