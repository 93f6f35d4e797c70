"""Geometry of bounding boxes: float arrays (N, 4) of x_min, y_min, x_max, y_max in pixels of the original."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


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


def crop_rectangle(box: Sequence[float], ratio: float) -> tuple[int, int, int, int]:
    """The rectangle to cut out: the tight box grown by (ratio - 1) * max(width, height) in both directions.

    Half of it goes to each side (paper, A7.1: ExtendSize). The corners are whole pixels that hold the grown box, so
    no side has length 0; the rectangle may leave the image. Raises ValueError for a box that is turned inside out.
    """
    x_min, y_min, x_max, y_max = (float(value) for value in box)
    if not (x_max >= x_min and y_max >= y_min):
        raise ValueError(f"box {tuple(box)} has its corners in the wrong order")
    margin = (ratio - 1) * max(x_max - x_min, y_max - y_min) / 2
    left, top = math.floor(x_min - margin), math.floor(y_min - margin)
    right, bottom = math.ceil(x_max + margin), math.ceil(y_max + margin)
    return left, top, max(right, left + 1), max(bottom, top + 1)
