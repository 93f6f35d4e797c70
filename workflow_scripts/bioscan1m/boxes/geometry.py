"""Geometry of bounding boxes: float arrays (N, 4) of x_min, y_min, x_max, y_max in pixels of the original."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Crop:
    """How an insect is cut out around its box: the config's `crop`, with its names."""

    ratio: float
    extension: str  # equal or proportional
    aspect: Sequence[float] | None  # width and height
    rotate: bool
    rounding: str  # nearest or outward
    pad_value: int  # grey, 0 to 255
    jpeg_quality: int

    @classmethod
    def recorded(cls, parameters: dict[str, Any]) -> Crop:
        """Those of the parameters of a job; without `rounding` it is outward, as in version 0.1.0."""
        return cls(**{"rounding": "outward"} | parameters)


def area(boxes: np.ndarray) -> np.ndarray:
    """Areas (N,) in square pixels; 0 where a box is turned inside out."""
    sides = np.clip(boxes[..., 2:] - boxes[..., :2], 0, None)
    return sides[..., 0] * sides[..., 1]


def intersection_over_union(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU (N,) of each row of `boxes` with the same row of `others`; 0 where both are empty."""
    boxes, others = np.asarray(boxes, dtype=np.float64), np.asarray(others, dtype=np.float64)
    top_left = np.maximum(boxes[..., :2], others[..., :2])
    bottom_right = np.minimum(boxes[..., 2:], others[..., 2:])
    shared = area(np.concatenate([top_left, bottom_right], axis=-1))
    union = area(boxes) + area(others) - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def crop_rectangle(box: Sequence[float], crop: Crop) -> tuple[int, int, int, int]:
    """The rectangle to cut out around a tight box; it may extend beyond the image.

    `extension` equal grows width and height both by (ratio - 1) * max(width, height), half of it on each side (paper,
    A7.1: ExtendSize); proportional grows each by (ratio - 1) times itself. With `aspect` (width, height) the shorter
    side grows further until the rectangle has that aspect, or the inverse where `rotate` will turn the crop.

    `rounding` nearest is that of the released tool: the corners of the tight box are rounded, and those of the grown
    one lose their fractions. With outward the rectangle holds the grown box.

    Args:
        box: x_min, y_min, x_max, y_max in pixels of the original.
        crop: the settings.

    Returns:
        x_min, y_min, x_max, y_max in whole pixels; no side has length 0.

    Raises:
        ValueError: the box has a negative width or height.
    """
    nearest = crop.rounding == "nearest"
    x_min, y_min, x_max, y_max = (float(round(value) if nearest else value) for value in box)
    if not (x_max >= x_min and y_max >= y_min):
        raise ValueError(f"box {tuple(box)} has its corners in the wrong order")
    tight = np.array([x_max - x_min, y_max - y_min])
    sides = tight + (crop.ratio - 1) * (tight.max() if crop.extension == "equal" else tight)
    if crop.aspect is not None:
        sides = _with_aspect(sides, crop.aspect, crop.rotate)
    margin_x, margin_y = ((sides - tight) / 2).tolist()
    lower, upper = (_without_fraction, _without_fraction) if nearest else (math.floor, math.ceil)
    left, top = lower(x_min - margin_x), lower(y_min - margin_y)
    right, bottom = upper(x_max + margin_x), upper(y_max + margin_y)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _without_fraction(value: float) -> int:
    """Cut towards zero; by how little a float is below a whole number does not count."""
    return int(round(value, 6))


def _with_aspect(sides: np.ndarray, aspect: Sequence[float], rotate: bool) -> np.ndarray:
    """Width and height, the smaller one grown to the aspect; a rectangle to be turned gets the aspect turned."""
    wanted = np.array(aspect[::-1] if rotate and sides[1] > sides[0] else aspect, dtype=float)
    return wanted * (sides / wanted).max()
