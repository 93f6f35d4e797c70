"""Crops hold the insect, are padded beyond the photograph's edge, and every image that gets none is accounted for."""

from __future__ import annotations

import io
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from toy_boxes import with_quality

from bioscan1m.boxes.geometry import Crop, crop_rectangle
from bioscan1m.boxes.table import CORNERS, read_boxes, write_boxes
from bioscan1m.crop.rectangles import crop_rectangles, cut_out
from bioscan1m.foundation.archives import ZipWriter, list_members, read_members
from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.quarantine import read_quarantine
from crop_chunk import crop_chunk

CROP = Crop(ratio=1.4, extension="equal", aspect=None, rotate=False, rounding="outward", pad_value=255, jpeg_quality=90)
WIDTH, HEIGHT = 120, 90

sides = st.integers(1, 500)
corners = st.floats(-100, 600, allow_nan=False, width=32)
ratios = st.floats(1, 3)
boxes = st.tuples(corners, corners, st.floats(0, 500, width=32), st.floats(0, 500, width=32)).map(
    lambda box: (box[0], box[1], box[0] + box[2], box[1] + box[3])
)


@pytest.mark.parametrize(
    ("box", "rectangle"),
    [
        ((40, 30, 60, 40), (36, 26, 64, 44)),  # 20 x 10 grows by 0.4 * 20 = 8 in width and in height
        ((0, 0, 20, 10), (-4, -4, 24, 14)),  # top left corner
        ((100, 80, 120, 90), (96, 76, 124, 94)),  # bottom right corner
        ((0, 0, 120, 90), (-24, -24, 144, 114)),  # the whole image
        ((50, 50, 51, 51), (49, 49, 52, 52)),  # one pixel
        ((50, 50, 50, 50), (50, 50, 51, 51)),  # no extent
        ((10.5, 10.5, 20.5, 15.5), (8, 8, 23, 18)),  # parts of pixels are taken in
    ],
)
def test_rectangle(box, rectangle):
    assert crop_rectangle(box, CROP) == rectangle


@pytest.mark.parametrize(
    ("box", "rectangle"),
    [
        ((10.5, 10.5, 20.5, 15.5), (8, 8, 22, 18)),  # as 10, 10, 20, 16: halves to the even number
        ((10.6, 10.6, 20.4, 15.4), (9, 9, 21, 16)),  # as 11, 11, 20, 15, which grow by 1.8 on each side
        ((3.4, 2.4, 33.4, 22.4), (-3, -4, 39, 28)),
        ((1, 2, 10, 4), (0, 0, 11, 5)),  # -0.8 and 0.2 lose their fractions
        ((50, 50, 50, 50), (50, 50, 51, 51)),  # no extent
    ],
)
def test_rectangle_of_the_released_tool(box, rectangle):
    assert crop_rectangle(box, replace(CROP, rounding="nearest")) == rectangle


def test_crops_of_version_0_1_0_were_rounded_outward():
    recorded = {name: value for name, value in asdict(CROP).items() if name != "rounding"}
    assert Crop.recorded(recorded) == CROP
    assert Crop.recorded(asdict(CROP) | {"rounding": "nearest"}).rounding == "nearest"


@given(boxes, ratios, st.sampled_from(["equal", "proportional"]))
def test_either_rounding_differs_by_pixels_at_most(box, ratio, extension):
    free = replace(CROP, ratio=ratio, extension=extension)
    pairs = zip(crop_rectangle(box, free), crop_rectangle(box, replace(free, rounding="nearest")), strict=True)
    assert all(abs(outward - nearest) <= 2 + ratio for outward, nearest in pairs)


@given(boxes, ratios)
def test_rectangle_holds_the_box_in_its_middle(box, ratio):
    left, top, right, bottom = crop_rectangle(box, replace(CROP, ratio=ratio))
    assert left <= box[0] and top <= box[1] and right >= box[2] and bottom >= box[3]
    assert abs((left + right) - (box[0] + box[2])) <= 2 and abs((top + bottom) - (box[1] + box[3])) <= 2
    growth = (ratio - 1) * max(box[2] - box[0], box[3] - box[1])
    assert growth <= (right - left) - (box[2] - box[0]) + 1e-6 <= growth + 2.001
    assert growth <= (bottom - top) - (box[3] - box[1]) + 1e-6 <= growth + 2.001


@given(boxes, ratios)
def test_proportional_extension_keeps_the_aspect(box, ratio):
    left, top, right, bottom = crop_rectangle(box, replace(CROP, ratio=ratio, extension="proportional"))
    assert left <= box[0] and top <= box[1] and right >= box[2] and bottom >= box[3]
    assert right - left == pytest.approx(ratio * (box[2] - box[0]), abs=2.001)
    assert bottom - top == pytest.approx(ratio * (box[3] - box[1]), abs=2.001)


@given(boxes, ratios, st.sampled_from(["equal", "proportional"]), st.booleans())
def test_an_aspect_only_adds(box, ratio, extension, rotate):
    free = replace(CROP, ratio=ratio, extension=extension, rotate=rotate)
    inner, outer = crop_rectangle(box, free), crop_rectangle(box, replace(free, aspect=[4, 3]))
    assert outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3]
    width, height = outer[2] - outer[0], outer[3] - outer[1]
    turned = rotate and height > width
    assert abs((height if turned else width) * 3 - (width if turned else height) * 4) <= 4 * 2 + 3 * 2
    assert width == pytest.approx(inner[2] - inner[0], abs=3) or height == pytest.approx(inner[3] - inner[1], abs=3)


@given(sides, sides, st.tuples(*[st.integers(-600, 600)] * 2, sides, sides), st.integers(0, 255))
def test_cut_out_has_the_pixels_of_the_rectangle_and_padding_beyond(width, height, place, pad_value):
    left, top, right, bottom = rectangle = (place[0], place[1], place[0] + place[2], place[1] + place[3])
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        with pytest.raises(UnreadableImage, match="lies outside"):
            cut_out(Image.fromarray(pixels), rectangle, pad_value)
        return
    margin = 1200
    padded = np.pad(pixels, ((margin,), (margin,), (0,)), constant_values=pad_value)
    expected = padded[top + margin : bottom + margin, left + margin : right + margin]
    assert np.array_equal(np.asarray(cut_out(Image.fromarray(pixels), rectangle, pad_value)), expected)


def test_cut_out_refuses_a_gigantic_crop():
    with pytest.raises(UnreadableImage, match="crop of 40000x40000 pixels"):
        cut_out(Image.new("RGB", (40, 40)), (0, 0, 40_000, 40_000), 255)


def photograph(box: tuple[int, int, int, int] = (40, 30, 60, 40)) -> bytes:
    """A grey well with a dark red insect that fills the box."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (180, 180, 180))
    image.paste((120, 10, 10), box)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def row(image_file: str, box: tuple | None = (40, 30, 60, 40), score: float | None = 0.9, status: str = "detected"):
    """One row of a boxes table."""
    place = dict(zip(CORNERS, box or [None] * 4, strict=True))
    return {"image_file": image_file, "width": WIDTH, "height": HEIGHT, **place, "score": score, "status": status}


class Chunk:
    """A chunk zip with its boxes table, and what cropping makes of it."""

    def __init__(self, folder: Path, images: dict[str, bytes], rows: list[dict]) -> None:
        self.zip, self.boxes = folder / "chunk.zip", folder / "boxes.parquet"
        self.cropped, self.quarantine = folder / "cropped.zip", folder / "quarantine.tsv"
        with ZipWriter(self.zip) as archive:
            for image_file, data in images.items():
                archive.add(f"bioscan/part7/{image_file}", data)
        write_boxes(self.boxes, with_quality(pd.DataFrame(rows)), {})

    def crop(self, threads: int = 2, unreadable_limit: float = 0.0, **crop: object) -> dict[str, int]:
        """Crop with some settings changed."""
        places = self.zip, self.boxes, self.cropped, self.quarantine
        return crop_chunk(
            *places,
            crop=replace(CROP, **crop),
            member_folder="part7",
            unreadable_limit=unreadable_limit,
            threads=threads,
        )

    def crops(self) -> dict[str, Image.Image]:
        """The crops by member name."""
        return {member.name: Image.open(io.BytesIO(data)) for member, data in read_members(self.cropped)}


def test_crop_holds_the_insect_and_its_surroundings(tmp_path):
    chunk = Chunk(tmp_path, {"a.jpg": photograph()}, [row("a.jpg")])
    assert chunk.crop() == {"in": 1, "out": 1, "quarantined": 0}
    crop = chunk.crops()["part7/a.jpg"]
    assert crop.size == (28, 18)
    assert crop.getpixel((14, 9))[0] < 140 > crop.getpixel((14, 9))[1]  # dark red
    assert min(crop.getpixel((1, 1))) > 160  # grey, not padding


def test_crop_is_padded_beyond_the_edge(tmp_path):
    chunk = Chunk(tmp_path, {"a.jpg": photograph((0, 0, 40, 40))}, [row("a.jpg", (0, 0, 40, 40))])
    chunk.crop(pad_value=240)
    crop = chunk.crops()["part7/a.jpg"]
    assert crop.size == (56, 56)
    assert crop.getpixel((1, 30)) == pytest.approx((240, 240, 240), abs=4)  # JPEG is not exact
    assert crop.getpixel((30, 1)) == pytest.approx((240, 240, 240), abs=4)
    assert min(crop.getpixel((52, 52))) < 200


def test_a_high_crop_is_turned_against_the_clock(tmp_path):
    image = Image.new("RGB", (WIDTH, HEIGHT), (180, 180, 180))
    image.paste((120, 10, 10), (40, 20, 60, 30))  # the upper end of the insect
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    chunk = Chunk(tmp_path, {"a.jpg": buffer.getvalue()}, [row("a.jpg", (40, 20, 60, 70))])
    chunk.crop(rotate=True)
    turned = chunk.crops()["part7/a.jpg"]
    assert turned.size == (70, 40)
    assert turned.getpixel((15, 20))[1] < 60 < turned.getpixel((55, 20))[1]  # the upper end is now at the left
    chunk.crop(rotate=True, aspect=[4, 3])
    assert chunk.crops()["part7/a.jpg"].size == (70, 54)


def test_every_member_is_cropped_or_accounted_for(tmp_path):
    images = {"b.jpg": photograph(), "note.jpg": b"no image", "a.jpg": photograph(), "c.jpg": photograph()[:-300]}
    images |= {"empty.jpg": photograph()}
    rows = [
        row("b.jpg"),
        row("note.jpg", None, None, "unreadable"),
        row("a.jpg", (5, 5, 20, 20), 0.3, "below_threshold"),
        row("c.jpg"),
        row("empty.jpg", None, 0.2, "below_threshold"),
    ]
    chunk = Chunk(tmp_path, images, rows)
    assert chunk.crop(unreadable_limit=0.5) == {"in": 4, "out": 2, "quarantined": 2}
    assert [member.name for member in list_members(chunk.cropped)] == ["part7/b.jpg", "part7/a.jpg"]
    lost = read_quarantine(chunk.quarantine)
    assert [(image_file, stage) for image_file, stage, _ in lost] == [("empty.jpg", "crop"), ("c.jpg", "crop")]
    assert "0.200" in lost[0][2] and "truncated" in lost[1][2]


def test_full_frame_is_the_whole_photograph(tmp_path):
    whole = (0, 0, WIDTH, HEIGHT)
    chunk = Chunk(tmp_path, {"a.jpg": photograph()}, [row("a.jpg", whole, 0.1, "below_threshold")])
    chunk.crop()
    assert chunk.crops()["part7/a.jpg"].size == (WIDTH, HEIGHT)


def test_detected_box_of_the_whole_photograph_is_extended(tmp_path):
    write_boxes(tmp_path / "boxes.parquet", with_quality(pd.DataFrame([row("a.jpg", (0, 0, WIDTH, HEIGHT))])), {})
    assert crop_rectangles(read_boxes(tmp_path / "boxes.parquet"), CROP) == {"a.jpg": (-24, -24, 144, 114)}


def test_same_bytes_for_any_number_of_threads(tmp_path):
    names = [f"{number}.jpg" for number in np.random.default_rng(1).permutation(20)]
    images = {name: photograph((10, 10, 20 + 3 * index, 40)) for index, name in enumerate(names)}
    chunk = Chunk(tmp_path, images, [row(name) for name in names])
    chunk.crop(threads=1)
    once = chunk.cropped.read_bytes()
    chunk.crop(threads=5)
    assert chunk.cropped.read_bytes() == once
    assert [member.image_file for member in list_members(chunk.cropped)] == names


def test_duplicate_member_names_are_cropped_once(tmp_path):
    chunk = Chunk(tmp_path, {"x/a.jpg": photograph(), "y/a.jpg": photograph()}, [row("a.jpg")] * 2)
    write_boxes(chunk.boxes, with_quality(pd.DataFrame([row("a.jpg"), row("a.jpg", None, None, "unreadable")])), {})
    assert chunk.crop() == {"in": 1, "out": 1, "quarantined": 0}


def test_too_many_unreadable_images_fail_with_the_list(tmp_path):
    chunk = Chunk(tmp_path, {"a.jpg": b"damaged", "b.jpg": photograph()}, [row("a.jpg"), row("b.jpg")])
    with pytest.raises(InputError, match=r"chunk.zip: 1 of 2 images .*a.jpg"):
        chunk.crop(unreadable_limit=0.4)
    assert [line[0] for line in read_quarantine(chunk.quarantine)] == ["a.jpg"]


def test_dropped_images_do_not_count_as_unreadable(tmp_path):
    chunk = Chunk(tmp_path, {"a.jpg": photograph()}, [row("a.jpg", None, 0.2, "below_threshold")])
    assert chunk.crop() == {"in": 1, "out": 0, "quarantined": 1}


def test_boxes_of_another_chunk_are_refused(tmp_path):
    chunk = Chunk(tmp_path, {"a.jpg": photograph()}, [row("b.jpg")])
    with pytest.raises(InputError, match=r"boxes.parquet: its rows are not the members of .*chunk.zip"):
        chunk.crop()
