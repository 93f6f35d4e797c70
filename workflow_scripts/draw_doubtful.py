"""Draw the boxes that a reader should look at first, from all chunks.

The photographs are those of the 256 px package, so that nothing depends on the chunks, which may be gone by then.
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioscan1m.boxes.geometry import Crop, crop_rectangle
from bioscan1m.boxes.table import BELOW_THRESHOLD, CORNERS, DETECTED, UNREADABLE, read_boxes
from bioscan1m.foundation.figures import EXTENDED, FULL_WIDTH, TIGHT, explain_boxes, literal, outline_box, save_figure
from bioscan1m.foundation.gallery import name_above
from bioscan1m.foundation.images import decode
from bioscan1m.jobs.context import job
from bioscan1m.package.images import ImagePackage

IMAGES_PER_ROW = 6
ROW_HEIGHT, EMPTY_ROW_HEIGHT = 2.0, 0.4  # inches


def doubtful_boxes(boxes: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Title of a row of the figure -> the rows of the boxes table that belong in it, the most doubtful first."""
    readable = boxes[(boxes["status"] != UNREADABLE) & boxes[CORNERS].notna().all(axis=1)]
    detected = readable[readable["status"] == DETECTED]
    return {
        "blank": readable[readable["blank"].astype("boolean").fillna(False)],
        "least sure": readable.sort_values("score", kind="stable"),
        "a second box is nearly as sure": detected[detected["ambiguous"].astype(bool)].sort_values(
            "second_score", ascending=False, kind="stable"
        ),
        "touches the border": detected[detected["touches_border"].astype(bool)].sort_values("score", kind="stable"),
        "smallest": detected.sort_values("box_share", kind="stable"),
        "largest": detected.sort_values("box_share", ascending=False, kind="stable"),
        "least sharp": detected.sort_values("sharpness", kind="stable"),
    }


def draw_doubtful(boxes: pd.DataFrame, images: Mapping[str, bytes], crop: Crop) -> Figure:
    """One row of photographs per kind of doubt, with their boxes.

    Args:
        boxes: boxes table of all chunks.
        images: image_file -> JPEG bytes, in any size.
        crop: the settings that the crops are cut out with.

    Returns:
        The figure.
    """
    rows = {title: _first_packed(table, images) for title, table in doubtful_boxes(boxes).items()}
    heights = [ROW_HEIGHT if chosen else EMPTY_ROW_HEIGHT for chosen in rows.values()]
    figure = Figure(figsize=(FULL_WIDTH, sum(heights)), layout="constrained")
    subfigures = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    explain_boxes(subfigures[0], TIGHT, EXTENDED)
    for subfigure, (title, chosen) in zip(subfigures, rows.items(), strict=True):
        subfigure.suptitle(f"{title}{'' if chosen else ': none'}", x=0.01, ha="left", fontsize=11)
        axes = subfigure.subplots(1, IMAGES_PER_ROW) if chosen else []
        for axis in axes:
            axis.set_axis_off()
        for axis, row in zip(axes, chosen, strict=False):
            _draw(axis, row, np.asarray(decode(images[row.image_file])), crop)
    return figure


def _first_packed(table: pd.DataFrame, images: Mapping[str, bytes]) -> list[Any]:
    """The first rows whose images are in the package, as named tuples; unreadable images are not in it."""
    return list(islice((row for row in table.itertuples() if row.image_file in images), IMAGES_PER_ROW))


def _draw(axis: Axes, row: Any, pixels: np.ndarray, crop: Crop) -> None:
    """One photograph, in pixels of the original whatever its size is here."""
    box = tuple(getattr(row, corner) for corner in CORNERS)
    axis.imshow(pixels, extent=(0, row.width, row.height, 0))
    outline_box(axis, crop_rectangle(box, crop), EXTENDED)
    outline_box(axis, box, TIGHT)
    axis.set(xlim=(0, row.width), ylim=(row.height, 0))
    mark = ", below threshold" if row.status == BELOW_THRESHOLD else ""
    axis.set_title(f"{literal(name_above(row.image_file))}\nscore {row.score:.2f}{mark}", fontsize=8)


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        boxes = pd.concat([read_boxes(path) for path in inputs.boxes], ignore_index=True)
        images = ImagePackage(inputs.package)
        save_figure(draw_doubtful(boxes, images, Crop.recorded(params.crop)), outputs.figure)
        record.images = {"in": len(boxes)}
