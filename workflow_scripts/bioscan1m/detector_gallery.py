"""A figure of the boxes that a detector found, worst IoU first: truth green, tight box red, extended box blue.

Order as in the paper (figure A10).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioscan1m.boxes import crop_rectangle
from bioscan1m.detector_evaluation import Evaluated
from bioscan1m.figures import EXTENDED, TIGHT, TRUTH, outline_box, save_figure

IMAGES = 24
COLUMNS = 6


def draw_gallery(path: str | Path, evaluated: Sequence[Evaluated], crop: dict[str, Any]) -> None:
    """Write a PNG of the images with an insect whose best box fits worst; `crop` is the config's."""
    worst = sorted((item for item in evaluated if len(item.example.boxes)), key=lambda item: item.iou)[:IMAGES]
    rows = math.ceil(len(worst) / COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, item in zip(axes, worst, strict=False):
        _draw(axis, item, crop)
    save_figure(figure, path)


def _draw(axis: Axes, item: Evaluated, crop: dict[str, Any]) -> None:
    """One image at the size of the detector's input, in the pixels of the photograph."""
    image = item.example.image
    axis.imshow(image.pixels.transpose(1, 2, 0), extent=(0, image.width, image.height, 0))
    for box in item.example.boxes:
        outline_box(axis, box, TRUTH)
    outline_box(axis, crop_rectangle(item.best_box, crop), EXTENDED)
    outline_box(axis, item.best_box, TIGHT)
    axis.set(xlim=(0, image.width), ylim=(image.height, 0))
    axis.set_title(f"{item.example.image_file}\nIoU {item.iou:.2f}, score {item.scores.max():.2f}", fontsize=7)
