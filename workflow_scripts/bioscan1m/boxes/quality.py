"""Measures of the quality of a box beside the detector's score.

They are of the box of the highest score, in the size of the detector's input, whatever the policy for boxes below the
threshold.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bioscan1m.boxes.geometry import area, intersection_over_union
from bioscan1m.boxes.table import FLAGS

# As a fraction of the image's sides: 14 pixels of an original, 5 of DETR's input, which is about its error.
BORDER = 0.005
# Boxes with a lower IoU are of two insects; the detectors sometimes place several queries on one insect.
SAME_INSECT_IOU = 0.5
# A second insect with this fraction of the first one's score makes an image ambiguous.
NEARLY_AS_SURE = 0.8
# Of the image's area: an insect of 130 x 97 pixels in an original. Of the hard wells published with Bioscan-ImgFilter,
# 5 % have a box below 0.4 %.
TINY = 0.002
# Standard deviation of the grey values, 0 to 255: noise alone has about 1, an empty well 5 and more.
BLANK_DEVIATION = 2.0
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode L


def quality_columns(pixels: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """The columns of quality of the boxes table for one image.

    Args:
        pixels: (3, h, w) uint8, the detector's input.
        boxes: (queries, 4), corners in fractions of the image.
        scores: (queries,), 0 to 1.

    Returns:
        `second_score`, the highest score of a box of another insect, 0 without one; `box_share`, the box's share of
        the image's area; `sharpness`, see below; and the flags.
    """
    best = scores.argmax()
    box, share = boxes[best], float(area(boxes[best]))
    elsewhere = intersection_over_union(boxes, np.broadcast_to(box, boxes.shape)) < SAME_INSECT_IOU
    elsewhere[best] = False  # a box without area shares nothing with itself
    second = float(scores[elsewhere].max(initial=0))
    flags = (
        bool(box[:2].min() <= BORDER or box[2:].max() >= 1 - BORDER),
        bool(second >= NEARLY_AS_SURE * scores[best]),
        share < TINY,
        is_uniform(pixels),
    )
    measures = {"second_score": second, "box_share": share, "sharpness": sharpness(pixels, box)}
    return measures | dict(zip(FLAGS, flags, strict=True))


def is_uniform(pixels: np.ndarray) -> bool:
    """Whether pixels (3, h, w) uint8 are nearly all equal, as those of a black image or of one that was read wrong."""
    return bool(max(channel.std() for channel in pixels) < BLANK_DEVIATION)


def sharpness(pixels: np.ndarray, box: np.ndarray) -> float | None:
    """Variance of the Laplacian of the grey values, 0 to 255, within a box (Pech-Pacheco et al. 2000).

    Low where the insect is out of focus or has no texture; comparable among inputs of one size. None for a box too
    small to have a Laplacian.
    """
    height, width = pixels.shape[1:]
    low, high = np.floor(box[:2] * [width, height]).astype(int), np.ceil(box[2:] * [width, height]).astype(int)
    inside = pixels[:, low[1] : high[1], low[0] : high[0]].astype(np.float32)
    if min(inside.shape[1:]) < 3:
        return None
    grey = GREY[0] * inside[0] + GREY[1] * inside[1] + GREY[2] * inside[2]  # np.dot would start threads
    edges = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(edges.var())
