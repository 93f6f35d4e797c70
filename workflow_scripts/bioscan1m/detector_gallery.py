"""A figure of the boxes that a detector found, worst IoU first: truth green, tight box red, extended box blue.

Colours and order as in the paper (figures A9 and A10).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bioscan1m.atomic import write_aside
from bioscan1m.boxes import crop_rectangle
from bioscan1m.detector_evaluation import Evaluated

IMAGES = 24
COLUMNS = 6
DOTS_PER_INCH = 110
TRUTH, TIGHT, EXTENDED = "limegreen", "red", "blue"


def draw_gallery(path: str | Path, evaluated: Sequence[Evaluated], ratio: float) -> None:
    """Write a PNG of the images with an insect whose best box fits worst; `ratio` is that of the crop."""
    worst = sorted((item for item in evaluated if len(item.example.boxes)), key=lambda item: item.iou)[:IMAGES]
    rows = math.ceil(len(worst) / COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, item in zip(axes, worst, strict=False):
        _draw(axis, item, ratio)
    with write_aside(path) as part:
        figure.savefig(part, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})


def _draw(axis: Axes, item: Evaluated, ratio: float) -> None:
    """One image at the size of the detector's input, in the pixels of the photograph."""
    image = item.example.image
    axis.imshow(image.pixels.transpose(1, 2, 0), extent=(0, image.width, image.height, 0))
    for box in item.example.boxes:
        _outline(axis, box, TRUTH)
    _outline(axis, np.array(crop_rectangle(item.best_box, ratio)), EXTENDED)
    _outline(axis, item.best_box, TIGHT)
    axis.set(xlim=(0, image.width), ylim=(image.height, 0))
    axis.set_title(f"{item.example.image_file}\nIoU {item.iou:.2f}, score {item.scores.max():.2f}", fontsize=7)


def _outline(axis: Axes, box: np.ndarray, colour: str) -> None:
    x_min, y_min, x_max, y_max = box.tolist()
    axis.add_patch(Rectangle((x_min, y_min), x_max - x_min, y_max - y_min, fill=False, edgecolor=colour, linewidth=1.2))
