"""A figure of the boxes that a detector found, worst IoU first: truth green, tight box red, extended box blue.

Order as in the paper (figure A10).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioscan1m.archives import ZipReader
from bioscan1m.detector.annotations import pair_with_members, read_annotations
from bioscan1m.detector.boxes import crop_rectangle
from bioscan1m.detector.boxes_table import CORNERS
from bioscan1m.figures import EXTENDED, FULL_WIDTH, TIGHT, TRUTH, outline_box
from bioscan1m.images import decode
from bioscan1m.tables import read_parquet

IMAGES = 24
COLUMNS = 4
# Enough for panels of about 300 pixels.
DRAWN_SHORTEST_SIDE = 300


def draw_gallery(archive: str | Path, annotations: str | Path, best_boxes: str | Path, crop: dict[str, Any]) -> Figure:
    """The images with an insect whose best box fits worst; `crop` is the config's.

    `archive` and `annotations` are the image set, `best_boxes` is what the evaluation found in it.
    """
    found = read_parquet(best_boxes).to_pandas().dropna(subset="iou").sort_values("iou", kind="stable").head(IMAGES)
    pairs = pair_with_members(archive, read_annotations(annotations))
    known = {member.image_file: (member, annotated.boxes) for member, annotated in pairs}
    rows = math.ceil(len(found) / COLUMNS)
    figure = Figure(figsize=(FULL_WIDTH, 2.4 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    with ZipReader(archive) as images:
        for axis, row in zip(axes, found.itertuples(), strict=False):
            member, truth = known[row.image_file]
            _draw(axis, row, np.asarray(decode(images.read(member), DRAWN_SHORTEST_SIDE)), truth, crop)
    return figure


def _draw(axis: Axes, row: Any, pixels: np.ndarray, truth: np.ndarray, crop: dict[str, Any]) -> None:
    """One image, in the pixels of the photograph whatever the scale at which it was decoded."""
    box = [getattr(row, corner) for corner in CORNERS]
    axis.imshow(pixels, extent=(0, row.width, row.height, 0))
    for true_box in truth:
        outline_box(axis, true_box, TRUTH)
    outline_box(axis, crop_rectangle(box, crop), EXTENDED)
    outline_box(axis, box, TIGHT)
    axis.set(xlim=(0, row.width), ylim=(row.height, 0))
    axis.set_title(f"{row.image_file}\nIoU {row.iou:.2f}, score {row.score:.2f}", fontsize=8)
