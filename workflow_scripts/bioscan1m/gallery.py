"""A figure of images in rows: what a table lists, to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import ImageOps

from bioscan1m.figures import FULL_WIDTH
from bioscan1m.images import decode

IMAGES_PER_ROW = 6
THUMBNAIL = 192  # pixels of the longer side
SIDE = FULL_WIDTH / IMAGES_PER_ROW  # inches of an image
LINE, TITLE = 0.16, 0.45  # inches of a line of text above it and of the title of a row


def draw_gallery(rows: Mapping[str, Sequence[tuple[bytes, str]]]) -> Figure:
    """One row for each title, with at most IMAGES_PER_ROW images; an image comes with the text above it."""
    heights = [_height([text for _, text in images]) for images in rows.values()]
    figure = Figure(figsize=(FULL_WIDTH, max(TITLE, sum(heights))), layout="constrained")
    subfigures = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0] if rows else []
    for subfigure, (title, images) in zip(subfigures, rows.items(), strict=True):
        subfigure.suptitle(f"{title}{'' if images else ': none'}", x=0.01, ha="left", fontsize=11)
        all_axes = subfigure.subplots(1, IMAGES_PER_ROW) if images else []
        for axes in all_axes:
            axes.set_axis_off()
        for axes, (data, text) in zip(all_axes, images, strict=False):
            axes.imshow(_thumbnail(data))
            axes.set_anchor("N")  # texts of a row begin at one height
            axes.set_title(text, fontsize=8)
    return figure


def _height(texts: Sequence[str]) -> float:
    """Inches of a row with these texts."""
    return TITLE + (SIDE + LINE * max(text.count("\n") + 1 for text in texts) if texts else 0)


def _thumbnail(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.contain(decode(data, THUMBNAIL), (THUMBNAIL, THUMBNAIL)))
