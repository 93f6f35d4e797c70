"""Cut every insect of a chunk out of its photograph (paper, A7.1).

The tight box of the boxes table is extended (boxes.crop_rectangle), the crop is taken at full resolution, what lies
beyond the photograph's edge is filled with white, and the crop is saved as JPEG. No model is involved, so that
another ratio, padding or quality costs no GPU time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from bioscan1m.archives import Member, list_members
from bioscan1m.detector.boxes import crop_rectangle
from bioscan1m.detector.boxes_table import BELOW_THRESHOLD, CORNERS, UNREADABLE, read_boxes
from bioscan1m.errors import InputError, UnreadableImage
from bioscan1m.images import LARGEST_PIXELS, decode, encode_jpeg
from bioscan1m.quarantine import Quarantine, write_rows
from bioscan1m.streams import rewrite_images

if TYPE_CHECKING:  # where a trace needs no table of it, for it takes long to import
    import pandas as pd

STAGE = "crop"

Rectangle = tuple[int, int, int, int]


def crop_chunk(
    chunk: str | Path,
    boxes: str | Path,
    cropped: str | Path,
    quarantine: str | Path,
    crop: dict[str, Any],
    member_folder: str,
    unreadable_limit: float,
    threads: int,
) -> dict[str, int]:
    """Write the zip of crops and the table of images that this step lost; return their counts.

    `crop` is the config's. With its `rotate` a crop that is higher than wide is turned by 90 degrees against the clock,
    as the released tool does. Members that the boxes table calls unreadable are
    left out and not counted: the detection has put them into quarantine. Images without a box (policy `drop`) are put
    into it here. Raises InputError where the boxes table is of another chunk, or where more than the fraction
    `unreadable_limit` of the members turn out unreadable.
    """
    table = read_boxes(boxes)
    members = list_members(chunk)
    _require_same_images(chunk, boxes, members, table)
    rectangles = crop_rectangles(table, crop)
    dropped, unreadable = _dropped(table), Quarantine(STAGE)

    def transform(member: Member, data: bytes) -> bytes:
        piece = cut_out(decode(data), rectangles[member.image_file], crop["pad_value"])
        if crop["rotate"] and piece.height > piece.width:
            piece = piece.transpose(Image.Transpose.ROTATE_90)
        return encode_jpeg(piece, crop["jpeg_quality"])

    to_crop = [member for member, keep in zip(members, has_box(table), strict=True) if keep]
    written = rewrite_images(chunk, to_crop, transform, cropped, lambda _: member_folder, unreadable, threads)
    write_rows(quarantine, dropped.rows + unreadable.rows)
    unreadable.check(len(members), unreadable_limit, Path(chunk).name)
    lost = len(dropped) + len(unreadable)
    return {"in": written + lost, "out": written, "quarantined": lost}


def has_box(table: pd.DataFrame) -> pd.Series:
    """Which rows of a boxes table are to be cropped."""
    return (table["status"] != UNREADABLE) & table[CORNERS].notna().all(axis=1)


def crop_rectangles(table: pd.DataFrame, crop: dict[str, Any]) -> dict[str, Rectangle]:
    """image_file -> the rectangle to cut out, in whole pixels, for each row of a boxes table that has a box.

    A box below the score threshold that spans the whole photograph is the policy `full_frame`: it is not extended.
    """
    rows = table.loc[has_box(table), ["image_file", "width", "height", "status", *CORNERS]].to_dict("records")
    return {row["image_file"]: rectangle_of(row, crop) for row in rows}


def rectangle_of(row: Mapping[str, Any], crop: dict[str, Any]) -> Rectangle:
    """The rectangle of one row of a boxes table that has a box."""
    box = tuple(row[corner] for corner in CORNERS)
    whole = (0, 0, int(row["width"]), int(row["height"]))
    return whole if row["status"] == BELOW_THRESHOLD and box == whole else crop_rectangle(box, crop)


def cut_out(image: Image.Image, rectangle: Rectangle, pad_value: int) -> Image.Image:
    """The rectangle (x_min, y_min, x_max, y_max) of an RGB image; what lies beyond its edge has the grey `pad_value`.

    Raises UnreadableImage where the rectangle is larger than any photograph or misses the image.
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


def _dropped(table: pd.DataFrame) -> Quarantine:
    """The readable images without a box."""
    dropped = Quarantine(STAGE)
    for row in table[(table["status"] != UNREADABLE) & ~has_box(table)].itertuples():
        dropped.add(row.image_file, f"no insect found: best score {row.score:.3f} is not above the threshold")
    return dropped


def _require_same_images(chunk: str | Path, boxes: str | Path, members: list[Member], table: pd.DataFrame) -> None:
    if [member.image_file for member in members] != table["image_file"].tolist():
        raise InputError(f"{boxes}: its rows are not the members of {chunk}; remove it and run the detection again")
