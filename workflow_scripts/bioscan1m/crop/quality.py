"""How far the box of an image can be trusted: what a detector's score alone does not tell.

Measured on the surest box, in the size of the detector's input, whatever the policy for doubtful boxes makes of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bioscan1m.detector.boxes import area, intersection_over_union
from bioscan1m.detector.boxes_table import FLAGS

# As a fraction of the image's sides: 14 pixels of an original, 5 of DETR's input, which is about its error.
BORDER = 0.005
# Boxes that share less than this are of two insects; the detectors place several queries on one insect at times.
SAME_INSECT_IOU = 0.5
# A second insect that scores this much of the first one's score is nearly as sure.
NEARLY_AS_SURE = 0.8
# Of the image's area: an insect of 130 x 97 pixels in an original. Of the hard wells published with Bioscan-ImgFilter,
# 5 % have a box below 0.4 %.
TINY = 0.002
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode L


def quality_columns(pixels: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> dict[str, Any]:
    """Columns of the boxes table for one image.

    `pixels` (3, h, w) uint8 is the detector's input; boxes (queries, 4), corners in fractions of the image, and scores
    (queries,) are all that it predicts. `second_score` is that of the surest box of another insect, 0 without one;
    `box_share` the box's share of the image's area; `sharpness` as below.
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
    )
    measures = {"second_score": second, "box_share": share, "sharpness": sharpness(pixels, box)}
    return measures | dict(zip(FLAGS, flags, strict=True))


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
    grey = GREY[0] * inside[0] + GREY[1] * inside[1] + GREY[2] * inside[2]  # np.dot would start threads of its own
    edges = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(edges.var())
