"""Draw the boxes of a detector that fit an image set worst.

Order as in the paper (figure A10).
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioscan1m.boxes.geometry import Crop, crop_rectangle
from bioscan1m.boxes.table import CORNERS
from bioscan1m.detector.annotations import pair_with_members, read_annotations
from bioscan1m.foundation.archives import ZipReader
from bioscan1m.foundation.figures import (
    EXTENDED,
    FULL_WIDTH,
    TIGHT,
    TRUTH,
    explain_boxes,
    literal,
    outline_box,
    save_figure,
)
from bioscan1m.foundation.gallery import name_above
from bioscan1m.foundation.images import decode
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.jobs.context import job

IMAGES = 24
COLUMNS = 4
# Enough for panels of about 300 pixels.
DRAWN_SHORTEST_SIDE = 300


def draw_worst_boxes(archive: str | Path, annotations: str | Path, best_boxes: str | Path, crop: Crop) -> Figure:
    """The images with an insect whose best box fits worst.

    Args:
        archive: zip of the image set.
        annotations: its COCO file.
        best_boxes: table of the detector's surest box of each image.
        crop: the settings that crops are cut out with.

    Returns:
        The figure.
    """
    found = read_parquet(best_boxes).to_pandas().dropna(subset="iou").sort_values("iou", kind="stable").head(IMAGES)
    pairs = pair_with_members(archive, read_annotations(annotations))
    known = {member.image_file: (member, annotated.boxes) for member, annotated in pairs}
    rows = math.ceil(len(found) / COLUMNS)
    figure = Figure(figsize=(FULL_WIDTH, 2.4 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    explain_boxes(figure, TRUTH, TIGHT, EXTENDED)
    with ZipReader(archive) as images:
        for axis, row in zip(axes, found.itertuples(), strict=False):
            member, truth = known[row.image_file]
            pixels = np.asarray(decode(images.read(member), DRAWN_SHORTEST_SIDE))
            _draw(axis, row=row, pixels=pixels, truth=truth, crop=crop)
    return figure


def _draw(axis: Axes, row: Any, pixels: np.ndarray, truth: np.ndarray, crop: Crop) -> None:
    """One image, in the pixels of the photograph whatever the scale at which it was decoded."""
    box = [getattr(row, corner) for corner in CORNERS]
    axis.imshow(pixels, extent=(0, row.width, row.height, 0))
    for true_box in truth:
        outline_box(axis, true_box, TRUTH)
    outline_box(axis, crop_rectangle(box, crop), EXTENDED)
    outline_box(axis, box, TIGHT)
    axis.set(xlim=(0, row.width), ylim=(row.height, 0))
    axis.set_title(f"{literal(name_above(row.image_file))}\nIoU {row.iou:.2f}, score {row.score:.2f}", fontsize=8)


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        crop = Crop.recorded(params.crop)
        figure = draw_worst_boxes(inputs.images, inputs.annotations, inputs.best_boxes, crop)
        save_figure(figure, outputs.gallery)
