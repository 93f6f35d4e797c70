"""The rectangle that is cut out of a photograph for a row of the boxes table (paper, A7.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from PIL import Image

from bioscan1m.boxes.geometry import Crop, crop_rectangle
from bioscan1m.boxes.table import BELOW_THRESHOLD, CORNERS, UNREADABLE
from bioscan1m.foundation.errors import UnreadableImage
from bioscan1m.foundation.images import LARGEST_PIXELS

if TYPE_CHECKING:  # pandas takes long to import, and a trace does without
    import pandas as pd

Rectangle = tuple[int, int, int, int]


def has_box(table: pd.DataFrame) -> pd.Series:
    """Which rows of a boxes table are to be cropped."""
    return (table["status"] != UNREADABLE) & table[CORNERS].notna().all(axis=1)


def crop_rectangles(table: pd.DataFrame, crop: Crop) -> dict[str, Rectangle]:
    """image_file -> the rectangle to cut out, in pixels of the original, for each row of a boxes table with a box."""
    rows = table.loc[has_box(table), ["image_file", "width", "height", "status", *CORNERS]].to_dict("records")
    return {row["image_file"]: rectangle_of(row, crop) for row in rows}


def rectangle_of(row: Mapping[str, Any], crop: Crop) -> Rectangle:
    """The rectangle to cut out, in pixels of the original, for one row of a boxes table that has a box.

    A box below the score threshold that covers the whole photograph comes from the policy `full_frame`: it is not
    extended.
    """
    box = tuple(row[corner] for corner in CORNERS)
    whole = (0, 0, int(row["width"]), int(row["height"]))
    return whole if row["status"] == BELOW_THRESHOLD and box == whole else crop_rectangle(box, crop)


def cut_out(image: Image.Image, rectangle: Rectangle, pad_value: int) -> Image.Image:
    """Cut a rectangle out of an RGB image.

    Args:
        image: the photograph.
        rectangle: x_min, y_min, x_max, y_max in its pixels; it may extend beyond the image.
        pad_value: grey value, 0 to 255, of the pixels outside of the image.

    Returns:
        An RGB image of the size of the rectangle.

    Raises:
        UnreadableImage: the rectangle is larger than any photograph, or shares no pixel with the image.
    """
    left, top, right, bottom = rectangle
    if (right - left) * (bottom - top) > LARGEST_PIXELS:
        raise UnreadableImage(f"crop of {right - left}x{bottom - top} pixels, more than {LARGEST_PIXELS}")
    inside = max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height)
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        raise UnreadableImage(f"crop {rectangle} lies outside the image of {image.width}x{image.height} pixels")
    if inside == tuple(rectangle):
        return image.crop(inside)
    canvas = Image.new("RGB", (right - left, bottom - top), (pad_value,) * 3)
    canvas.paste(image.crop(inside), (inside[0] - left, inside[1] - top))
    return canvas
