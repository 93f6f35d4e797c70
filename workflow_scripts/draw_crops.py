"""Draw a sample of a chunk's photographs with their boxes beside the crops, for the report.

The sample is evenly spaced over the detector's scores, so that the least and the most certain boxes are always in it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from bioscan1m.boxes.geometry import Crop
from bioscan1m.boxes.table import BELOW_THRESHOLD, CORNERS, read_boxes
from bioscan1m.crop.rectangles import Rectangle, crop_rectangles
from bioscan1m.foundation.archives import list_members, read_members
from bioscan1m.foundation.errors import UnreadableImage
from bioscan1m.foundation.figures import EXTENDED, FULL_WIDTH, TIGHT, explain_boxes, literal, outline_box, save_figure
from bioscan1m.foundation.gallery import name_above
from bioscan1m.foundation.images import decode
from bioscan1m.jobs.context import job

SPECIMENS = 12
COLUMNS = 2
# Enough for panels of about 250 pixels; originals are decoded at the DCT scale just above it.
DRAWN_SHORTEST_SIDE = 300


@dataclass(frozen=True)
class Specimen:
    """One row of the boxes table with its two images and its rectangle, all in pixels of the original."""

    row: Any
    photograph: Image.Image
    crop: Image.Image
    rectangle: Rectangle


def draw_crops(
    chunk: str | Path, boxes: str | Path, cropped: str | Path, figure: str | Path, crop: Crop
) -> dict[str, int]:
    """Write the figure of a sample of a chunk.

    Args:
        chunk: zip of photographs.
        boxes: its boxes table.
        cropped: zip of its crops.
        figure: PNG to write.
        crop: the settings that the crops were cut out with.

    Returns:
        The numbers of specimens in the sample (in) and in the figure (out).
    """
    table = read_boxes(boxes)
    rectangles = crop_rectangles(table, crop)
    crops = {member.image_file: member for member in list_members(cropped)}
    sample = _sample(table[table["image_file"].isin(crops)])
    specimens = list(_specimens(sample, chunk, cropped, rectangles))
    save_figure(_draw(specimens), figure)
    return {"in": len(sample), "out": len(specimens)}


def _sample(table: pd.DataFrame) -> pd.DataFrame:
    """At most SPECIMENS rows, evenly spaced over the scores, least certain first."""
    ordered = table.drop_duplicates("image_file").sort_values("score", kind="stable")
    count = min(SPECIMENS, len(ordered))
    return ordered.iloc[np.linspace(0, len(ordered) - 1, count).round().astype(int)]


def _specimens(
    sample: pd.DataFrame, chunk: str | Path, cropped: str | Path, rectangles: dict[str, Rectangle]
) -> Iterator[Specimen]:
    photographs = _decode_members(chunk, set(sample["image_file"]))
    crops = _decode_members(cropped, set(sample["image_file"]))
    for row in sample.itertuples():
        name = row.image_file
        yield Specimen(row, photographs[name], crops[name], rectangles[name])


def _decode_members(archive: str | Path, names: set[str]) -> dict[str, Image.Image]:
    members = [member for member in list_members(archive) if member.image_file in names and not member.duplicate]
    return {
        member.image_file: decode(data, DRAWN_SHORTEST_SIDE)
        for member, data in read_members(archive, members)
        if not isinstance(data, UnreadableImage)
    }


def _draw(specimens: list[Specimen]) -> Figure:
    rows = max(1, math.ceil(len(specimens) / COLUMNS))
    figure = Figure(figsize=(FULL_WIDTH, 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, 2 * COLUMNS, squeeze=False, width_ratios=[1.5, 1] * COLUMNS).ravel()
    for index, specimen in enumerate(specimens):
        _draw_photograph(axes[2 * index], specimen)
        _draw_crop(axes[2 * index + 1], specimen)
    for axis in axes[: 2 * len(specimens)]:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set(color="silver", linewidth=0.6)  # white padding has an edge on the white page
    for axis in axes[2 * len(specimens) :]:
        axis.set_axis_off()
    explain_boxes(figure, TIGHT, EXTENDED)
    return figure


def _draw_photograph(axis: Axes, specimen: Specimen) -> None:
    """The photograph in pixels of the original, whatever the scale at which it was decoded."""
    row = specimen.row
    axis.imshow(specimen.photograph, extent=(0, row.width, row.height, 0))
    outline_box(axis, specimen.rectangle, EXTENDED, clip=False)
    outline_box(axis, [getattr(row, corner) for corner in CORNERS], TIGHT, clip=False)
    left, top, right, bottom = specimen.rectangle
    axis.set_xlim(min(0, left), max(row.width, right))
    axis.set_ylim(max(row.height, bottom), min(0, top))
    mark = ", below threshold" if row.status == BELOW_THRESHOLD else ""
    axis.set_title(f"{literal(name_above(row.image_file))}\nscore {row.score:.2f}{mark}", fontsize=8)


def _draw_crop(axis: Axes, specimen: Specimen) -> None:
    left, top, right, bottom = specimen.rectangle
    axis.imshow(specimen.crop)
    axis.set_title(f"crop, {right - left} × {bottom - top} px", fontsize=8)


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        record.images = draw_crops(
            chunk=inputs.chunk,
            boxes=inputs.boxes,
            cropped=inputs.cropped,
            figure=outputs.figure,
            crop=Crop.recorded(params.crop),
        )
