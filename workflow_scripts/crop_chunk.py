"""Cut every insect of one chunk out of its photograph, by the boxes that the detector found (paper, A7.1).

The tight box of the boxes table is extended (boxes/geometry.py: crop_rectangle), the crop is taken at full resolution,
pixels beyond the photograph's edge are white, and the crop is saved as JPEG. No model is involved, so that another
ratio, padding or quality costs no GPU time.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from bioscan1m.boxes.geometry import Crop
from bioscan1m.boxes.table import UNREADABLE, read_boxes
from bioscan1m.crop.rectangles import crop_rectangles, cut_out, has_box
from bioscan1m.foundation.archives import Member, list_members
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.images import decode, encode_jpeg
from bioscan1m.foundation.quarantine import COLUMNS, Quarantine
from bioscan1m.foundation.streams import rewrite_images
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.jobs.context import job

if TYPE_CHECKING:  # pandas comes with the table of boxes
    import pandas as pd

STAGE = "crop"


def crop_chunk(
    chunk: str | Path,
    boxes: str | Path,
    cropped: str | Path,
    quarantine: str | Path,
    crop: Crop,
    member_folder: str,
    unreadable_limit: float,
    threads: int,
) -> dict[str, int]:
    """Write the zip of crops and the table of images that this step lost; return their counts.

    Members whose status in the boxes table is unreadable are left out and not counted: they are in the quarantine table
    of the detection. Images without a box (policy `drop`) go to the quarantine table of this step.

    Args:
        chunk: zip of photographs.
        boxes: its boxes table.
        cropped: zip to write.
        quarantine: table to write.
        crop: the settings; with `rotate` a crop that is higher than wide is turned by 90 degrees against the clock, as
            by the released tool.
        member_folder: folder of the members of the zip to write.
        unreadable_limit: largest fraction of the members that may turn out unreadable.
        threads: threads that decode and encode.

    Returns:
        The numbers of images in, out and quarantined.

    Raises:
        InputError: the boxes table is of another chunk, or more than `unreadable_limit` of the members are unreadable.
    """
    table = read_boxes(boxes)
    members = list_members(chunk)
    _require_same_images(chunk, boxes, members, table)
    rectangles = crop_rectangles(table, crop)
    dropped, unreadable = _dropped(table), Quarantine(STAGE)

    def transform(member: Member, data: bytes) -> bytes:
        piece = cut_out(decode(data), rectangles[member.image_file], crop.pad_value)
        if crop.rotate and piece.height > piece.width:
            piece = piece.transpose(Image.Transpose.ROTATE_90)
        return encode_jpeg(piece, crop.jpeg_quality)

    to_crop = [member for member, keep in zip(members, has_box(table), strict=True) if keep]
    written = rewrite_images(
        source=chunk,
        members=to_crop,
        transform=transform,
        output=cropped,
        folder_of=lambda _: member_folder,
        quarantine=unreadable,
        threads=threads,
    )
    write_rows(quarantine, COLUMNS, dropped.rows + unreadable.rows)
    unreadable.check(len(members), unreadable_limit, Path(chunk).name)
    lost = len(dropped) + len(unreadable)
    return {"in": written + lost, "out": written, "quarantined": lost}


def _dropped(table: "pd.DataFrame") -> Quarantine:
    """The readable images without a box."""
    dropped = Quarantine(STAGE)
    for row in table[(table["status"] != UNREADABLE) & ~has_box(table)].itertuples():
        dropped.add(row.image_file, f"no insect found: best score {row.score:.3f} is not above the threshold")
    return dropped


def _require_same_images(chunk: str | Path, boxes: str | Path, members: list[Member], table: "pd.DataFrame") -> None:
    if [member.image_file for member in members] != table["image_file"].tolist():
        raise InputError(f"{boxes}: its rows are not the members of {chunk}; remove it and run the detection again")


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        record.images = crop_chunk(
            chunk=inputs.chunk,
            boxes=inputs.boxes,
            cropped=outputs.cropped,
            quarantine=outputs.quarantine,
            crop=Crop.recorded(params.crop),
            member_folder=params.member_folder,
            unreadable_limit=params.unreadable_limit,
            threads=snakemake.threads,
        )
