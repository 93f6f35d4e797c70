"""A figure of images in rows: what a table lists, to look at."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from bioscan1m.foundation.errors import UnreadableImage
from bioscan1m.foundation.figures import FULL_WIDTH, literal
from bioscan1m.foundation.images import decode

logger = logging.getLogger(__name__)

IMAGES_PER_ROW = 6
THUMBNAIL = 192  # pixels of the longer side
SIDE = FULL_WIDTH / IMAGES_PER_ROW  # inches of an image
FRAME = "0.8"  # a light grey: a crop may be white beyond the edge of its photograph
NAME_LENGTH = 22  # letters of a file name above its image
BETWEEN = 4  # white pixels between images that are shown one below the other
LINE = 0.16  # inches of a line of text above it
TITLE, GAP = 0.22, 0.2  # inches of a line of the title of a row, and between rows
NAMED = 3  # of the images that are left out, in the log


# The bytes of an image, or of several that are shown one below the other, such as a photograph and its crop.
Shown = bytes | tuple[bytes, ...]


def name_above(image_file: str) -> str:
    """The name of a file as it stands above its image: of a long one the end, in which most differ."""
    return image_file if len(image_file) <= NAME_LENGTH else f"…{image_file[1 - NAME_LENGTH :]}"


def draw_gallery(groups: Mapping[str, Sequence[tuple[Shown, str]]]) -> Figure:
    """Each title, and below it its images in rows of IMAGES_PER_ROW; an image comes with the text above it."""
    rows = [row for title, images in groups.items() for row in _rows(title, images)]
    heights = [_height(title, images) for title, images in rows]
    figure = Figure(figsize=(FULL_WIDTH, max(GAP + TITLE, sum(heights))), layout="constrained")
    subfigures: Any = figure.subfigures(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0] if rows else []
    for subfigure, (title, images) in zip(subfigures, rows, strict=True):
        if title:
            subfigure.suptitle(literal(title), x=0.01, ha="left", fontsize=11)
        all_axes = subfigure.subplots(1, IMAGES_PER_ROW) if images else []
        for axes in all_axes[len(images) :]:
            axes.set_axis_off()
        for axes, (pixels, text) in zip(all_axes, images, strict=False):
            axes.imshow(pixels)
            axes.set(xticks=[], yticks=[], anchor="N")  # texts of a row begin at one height
            axes.spines[:].set_color(FRAME)
            axes.set_title(literal(text), fontsize=8)
    return figure


def first_shown(
    images: Iterable[tuple[str, str]], packages: Sequence[Mapping[str, bytes]], most: int
) -> list[tuple[Shown, str]]:
    """The first images that can be shown, for a row of `draw_gallery`; the log names those that are left out.

    Args:
        images: image_file and what stands between it and its name; what is to be shown first at the front.
        packages: packages with the same specimens, such as photographs and crops: of each that has a readable image of
            that name, it is shown.
        most: images to show.

    Returns:
        At most that many images, each with its name and text. One that no package has is left out, the next one shown.
    """
    shown: list[tuple[Shown, str]] = []
    left_out = []
    for image_file, text in images:
        if len(shown) == most:
            break
        if data := tuple(package[image_file] for package in packages if _has_readable(package, image_file)):
            shown.append((data, f"{name_above(image_file)}\n{text}"))
        else:
            left_out.append(image_file)
    if left_out:
        logger.info("%d left out of the figure, no package has a readable image: %s", *_some(left_out))
    return shown


def is_drawable(data: bytes) -> bool:
    """Whether the image of a file can be drawn: a published package is packed as it came."""
    try:
        decode(data, THUMBNAIL)
    except UnreadableImage:
        return False
    return True


def _has_readable(package: Mapping[str, bytes], image_file: str) -> bool:
    return image_file in package and is_drawable(package[image_file])


def _some(names: Sequence[str]) -> tuple[int, str]:
    return len(names), ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _rows(title: str, images: Sequence[tuple[Shown, str]]) -> list[tuple[str, list[tuple[np.ndarray, str]]]]:
    """Rows of thumbnails with their texts, the first with the title; one without any where there are no images."""
    shown = [(_stack(data if isinstance(data, tuple) else (data,)), text) for data, text in images]
    starts = range(0, max(1, len(shown)), IMAGES_PER_ROW)
    return [("" if start else title, shown[start : start + IMAGES_PER_ROW]) for start in starts]


def _height(title: str, images: Sequence[tuple[np.ndarray, str]]) -> float:
    """Inches of a row of these thumbnails and texts."""
    title_lines = title.count("\n") + 1 if title else 0
    lines = max((text.count("\n") + 1 for _, text in images), default=0)
    # A portrait is shown narrower than the others, not higher.
    highest = max((pixels.shape[0] for pixels, _ in images), default=0) / THUMBNAIL
    return GAP + TITLE * title_lines + SIDE * highest + LINE * lines


def _stack(images: tuple[bytes, ...]) -> np.ndarray:
    """Thumbnails one below the other, each in the middle of the widest."""
    thumbnails = [ImageOps.contain(decode(data, THUMBNAIL), (THUMBNAIL, THUMBNAIL)) for data in images]
    width = max(thumbnail.width for thumbnail in thumbnails)
    height = sum(thumbnail.height for thumbnail in thumbnails) + BETWEEN * (len(thumbnails) - 1)
    stack = Image.new("RGB", (width, height), "white")
    top = 0
    for thumbnail in thumbnails:
        stack.paste(thumbnail, ((width - thumbnail.width) // 2, top))
        top += thumbnail.height + BETWEEN
    return np.asarray(stack)
