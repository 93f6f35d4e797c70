"""A figure that shows a sample of crops beside their photographs: the tight box in red, the extended box in blue.

The sample is evenly spaced over the detector's scores, so that the least and the most certain boxes are always in it.
"""

from __future__ import annotations

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

from bioscan1m.archives import list_members, read_members
from bioscan1m.crop.cropping import Rectangle, crop_rectangles
from bioscan1m.detector.boxes_table import BELOW_THRESHOLD, CORNERS, read_boxes
from bioscan1m.errors import UnreadableImage
from bioscan1m.figures import EXTENDED, FULL_WIDTH, TIGHT, outline_box, save_figure
from bioscan1m.images import decode

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
    chunk: str | Path, boxes: str | Path, cropped: str | Path, figure: str | Path, crop: dict[str, Any]
) -> dict[str, int]:
    """Write the figure (PNG) and return the number of specimens drawn; `crop` is the config's."""
    table = read_boxes(boxes)
    rectangles = crop_rectangles(table, crop)
    crops = {member.image_file: member for member in list_members(cropped)}
    sample = _sample(table[table["image_file"].isin(crops)])
    specimens = list(_specimens(sample, chunk, cropped, rectangles))
    drawing = _draw(specimens)
    save_figure(drawing, figure)
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
    axis.set_title(f"{row.image_file}\nscore {row.score:.2f}{mark}", fontsize=8)


def _draw_crop(axis: Axes, specimen: Specimen) -> None:
    left, top, right, bottom = specimen.rectangle
    axis.imshow(specimen.crop)
    axis.set_title(f"crop, {right - left} × {bottom - top} px", fontsize=8)
