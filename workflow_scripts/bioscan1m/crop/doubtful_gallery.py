"""A figure of the boxes that a reader should look at first: a row of photographs for each kind of doubt.

The photographs are those of the 256 px package, so that nothing depends on the chunks, which may be gone by then.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioscan1m.detector.boxes import crop_rectangle
from bioscan1m.detector.boxes_table import BELOW_THRESHOLD, CORNERS, DETECTED, UNREADABLE
from bioscan1m.figures import EXTENDED, FULL_WIDTH, TIGHT, outline_box
from bioscan1m.images import decode

IMAGES_PER_ROW = 6
ROW_HEIGHT, EMPTY_ROW_HEIGHT = 2.0, 0.4  # inches


def doubtful_boxes(boxes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Title of a row of the figure -> the rows of the boxes table that belong in it, the most doubtful first."""
    readable = boxes[(boxes["status"] != UNREADABLE) & boxes[CORNERS].notna().all(axis=1)]
    detected = readable[readable["status"] == DETECTED]
    return {
        "least sure": readable.sort_values("score", kind="stable"),
        "a second box is nearly as sure": detected[detected["ambiguous"].astype(bool)].sort_values(
            "second_score", ascending=False, kind="stable"
        ),
        "touches the border": detected[detected["touches_border"].astype(bool)].sort_values("score", kind="stable"),
        "smallest": detected.sort_values("box_share", kind="stable"),
        "largest": detected.sort_values("box_share", ascending=False, kind="stable"),
        "least sharp": detected.sort_values("sharpness", kind="stable"),
    }


def draw_doubtful(boxes: pd.DataFrame, images: Mapping[str, bytes], crop: dict[str, Any]) -> Figure:
    """One row per kind of doubt; `images` are JPEG bytes by image_file, in any size, `crop` is the config's."""
    rows = {title: _first_packed(table, images) for title, table in doubtful_boxes(boxes).items()}
    heights = [ROW_HEIGHT if chosen else EMPTY_ROW_HEIGHT for chosen in rows.values()]
    figure = Figure(figsize=(FULL_WIDTH, sum(heights)), layout="constrained")
    subfigures = figure.subfigures(len(rows), 1, height_ratios=heights)
    for subfigure, (title, chosen) in zip(subfigures, rows.items(), strict=True):
        subfigure.suptitle(f"{title}{'' if chosen else ': none'}", x=0.01, ha="left", fontsize=11)
        axes = subfigure.subplots(1, IMAGES_PER_ROW) if chosen else []
        for axis in axes:
            axis.set_axis_off()
        for axis, row in zip(axes, chosen, strict=False):
            _draw(axis, row, np.asarray(decode(images[row.image_file])), crop)
    return figure


def _first_packed(table: pd.DataFrame, images: Mapping[str, bytes]) -> list[Any]:
    """The first rows whose images are in the package, as named tuples; an unreadable one may lack there."""
    return list(islice((row for row in table.itertuples() if row.image_file in images), IMAGES_PER_ROW))


def _draw(axis: Axes, row: Any, pixels: np.ndarray, crop: dict[str, Any]) -> None:
    """One photograph, in pixels of the original whatever its size is here."""
    box = tuple(getattr(row, corner) for corner in CORNERS)
    axis.imshow(pixels, extent=(0, row.width, row.height, 0))
    outline_box(axis, crop_rectangle(box, crop), EXTENDED)
    outline_box(axis, box, TIGHT)
    axis.set(xlim=(0, row.width), ylim=(row.height, 0))
    mark = ", below threshold" if row.status == BELOW_THRESHOLD else ""
    axis.set_title(f"{Path(row.image_file).stem}\nscore {row.score:.2f}{mark}", fontsize=8)
