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
FRAME = "0.8"  # a light grey: a crop may be white beyond the edge of its photograph
LINE = 0.16  # inches of a line of text above it
TITLE, GAP = 0.22, 0.2  # inches of a line of the title of a row, and between rows


def draw_gallery(groups: Mapping[str, Sequence[tuple[bytes, str]]]) -> Figure:
    """Each title, and below it its images in rows of IMAGES_PER_ROW; an image comes with the text above it."""
    rows = [row for title, images in groups.items() for row in _rows(title, images)]
    heights = [_height(title, images) for title, images in rows]
    figure = Figure(figsize=(FULL_WIDTH, max(GAP + TITLE, sum(heights))), layout="constrained")
    subfigures = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0] if rows else []
    for subfigure, (title, images) in zip(subfigures, rows, strict=True):
        if title:
            subfigure.suptitle(title, x=0.01, ha="left", fontsize=11)
        all_axes = subfigure.subplots(1, IMAGES_PER_ROW) if images else []
        for axes in all_axes[len(images) :]:
            axes.set_axis_off()
        for axes, (pixels, text) in zip(all_axes, images, strict=False):
            axes.imshow(pixels)
            axes.set(xticks=[], yticks=[], anchor="N")  # texts of a row begin at one height
            axes.spines[:].set_color(FRAME)
            axes.set_title(text, fontsize=8)
    return figure


def _rows(title: str, images: Sequence[tuple[bytes, str]]) -> list[tuple[str, list[tuple[np.ndarray, str]]]]:
    """Rows of thumbnails with their texts, the first with the title; one without any where there are no images."""
    shown = [(_thumbnail(data), text) for data, text in images]
    starts = range(0, max(1, len(shown)), IMAGES_PER_ROW)
    return [("" if start else title, shown[start : start + IMAGES_PER_ROW]) for start in starts]


def _height(title: str, images: Sequence[tuple[np.ndarray, str]]) -> float:
    """Inches of a row of these thumbnails and texts."""
    title_lines = title.count("\n") + 1 if title else 0
    lines = max((text.count("\n") + 1 for _, text in images), default=0)
    # A portrait is shown narrower than the others, not higher than wide.
    aspect = min(1, max((pixels.shape[0] / pixels.shape[1] for pixels, _ in images), default=0))
    return GAP + TITLE * title_lines + SIDE * aspect + LINE * lines


def _thumbnail(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.contain(decode(data, THUMBNAIL), (THUMBNAIL, THUMBNAIL)))
