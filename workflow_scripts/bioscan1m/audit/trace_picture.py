"""A strip of pictures of one image on its way: the photograph with its boxes, the crop, and the packed images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from bioscan1m.boxes.table import CORNERS
from bioscan1m.foundation.archives import list_members, read_members
from bioscan1m.foundation.atomic import write_aside
from bioscan1m.foundation.errors import InputError, UnreadableImage, unless_unreadable
from bioscan1m.foundation.figures import EXTENDED, TIGHT
from bioscan1m.foundation.images import decode
from bioscan1m.package.images import ImagePackage

HEIGHT, MARGIN, TITLE = 256, 8, 16  # pixels


def draw_trace(run: str | Path, trace: dict[str, Any], picture: str | Path) -> None:
    """Write the strip as PNG. Raises InputError where the run has no picture of the image any more."""
    panels = [(title, image.resize((_width(image), HEIGHT))) for title, image in _panels(Path(run), trace)]
    if not panels:
        raise InputError(f"{run}: has no picture of {trace['image_file']} any more")
    width = sum(image.width + MARGIN for _, image in panels) + MARGIN
    strip = Image.new("RGB", (width, HEIGHT + 2 * MARGIN + TITLE), "white")
    draw, left = ImageDraw.Draw(strip), MARGIN
    for title, image in panels:
        draw.text((left, MARGIN // 2), title, fill="black")
        strip.paste(image, (left, MARGIN + TITLE))
        left += image.width + MARGIN
    with write_aside(picture) as part:
        strip.save(part, "PNG")


def _panels(run: Path, trace: dict[str, Any]) -> Iterator[tuple[str, Image.Image]]:
    """Title and picture of each step that is still there."""
    if photograph := _from_zip(run, trace.get("original", {}), trace["image_file"]):
        yield f"photograph, {photograph.width} x {photograph.height}", _outlined(photograph, trace)
    if crop := _from_zip(run, trace.get("crop", {}), trace["image_file"]):
        yield f"crop, {crop.width} x {crop.height}", crop
    for package in trace["packages"]:
        image = decode(ImagePackage(run / package["path"])[trace["image_file"]])
        yield f"{Path(package['path']).stem}, {image.width} x {image.height}", image


def _from_zip(run: Path, place: dict[str, Any], image_file: str) -> Image.Image | None:
    if "member" not in place:
        return None
    path = run / place["path"]
    member = [member for member in list_members(path) if member.image_file == image_file][:1]
    data = next((data for _, data in read_members(path, member)), UnreadableImage(""))
    image = unless_unreadable(decode, data)
    return None if isinstance(image, UnreadableImage) else image


def _outlined(photograph: Image.Image, trace: dict[str, Any]) -> Image.Image:
    """The photograph with the tight box and the rectangle that was cut out."""
    draw, line = ImageDraw.Draw(photograph), max(1, photograph.height // HEIGHT * 2)
    corners = [trace["box"][corner] for corner in CORNERS]
    if trace["crop"].get("rectangle"):
        draw.rectangle(tuple(trace["crop"]["rectangle"]), outline=EXTENDED, width=line)
    if None not in corners:
        draw.rectangle(tuple(corners), outline=TIGHT, width=line)
    return photograph


def _width(image: Image.Image) -> int:
    return max(1, round(image.width * HEIGHT / image.height))
