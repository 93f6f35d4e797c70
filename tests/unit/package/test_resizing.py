"""Resized images have the asked shorter side, keep their shape, and lose nobody silently."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bioscan1m.archives import ZipWriter, list_members
from bioscan1m.errors import InputError, UnreadableImage
from bioscan1m.package.resizing import resize_chunk, resize_image
from bioscan1m.quarantine import read_rows

RESIZE = {"short_side": 64, "jpeg_quality": 75}


def photograph(width: int, height: int, kind: str = "JPEG", **options: object) -> bytes:
    """A picture whose left half is dark and whose right half is light."""
    pixels = np.full((height, width, 3), 40, np.uint8)
    pixels[:, width // 2 :] = 210
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def resized(data: bytes) -> Image.Image:
    """The decoded result."""
    return Image.open(io.BytesIO(resize_image(data, RESIZE)))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 700), st.integers(1, 700))
def test_shorter_side_is_exact_and_shape_is_kept(width, height):
    size = resized(photograph(width, height)).size
    assert min(size) == 64
    assert abs(max(size) / 64 - max(width, height) / min(width, height)) <= 0.5 / 64 + 1e-9


def test_decoding_at_a_dct_scale_gives_the_picture_of_a_full_decode():
    from_jpeg = np.asarray(resized(photograph(640, 480, quality=95)), dtype=float)
    from_png = np.asarray(resized(photograph(640, 480, "PNG")), dtype=float)
    assert np.abs(from_jpeg - from_png).mean() < 3


def test_upright_by_exif_orientation():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    assert resized(photograph(640, 320, exif=exif)).size == (64, 128)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_any_colour_mode_becomes_rgb(mode):
    buffer = io.BytesIO()
    Image.new(mode, (200, 100)).save(buffer, "TIFF")
    assert resized(buffer.getvalue()).mode == "RGB"


def test_an_elongated_image_is_refused_not_blown_up():
    with pytest.raises(UnreadableImage, match="do not fit a JPEG"):
        resize_image(photograph(30_000, 2, "PNG"), RESIZE)


def make_chunk(path, images: dict[str, bytes]) -> None:
    """A chunk zip."""
    with ZipWriter(path) as archive:
        for image_file, data in images.items():
            archive.add(f"part3/{image_file}", data)


def test_chunk_keeps_order_and_names_what_it_lost(tmp_path):
    images = {"b.jpg": photograph(90, 80), "note.txt": b"no image", "a.jpg": photograph(80, 90), "c.png": b""}
    make_chunk(tmp_path / "chunk.zip", images)
    places = tmp_path / "chunk.zip", tmp_path / "shard.zip", tmp_path / "quarantine.tsv"
    assert resize_chunk(*places, RESIZE, "original_64", "3", False, 0.5, 2) == {"in": 4, "out": 2, "quarantined": 2}
    names = [member.name for member in list_members(places[1])]
    assert names == ["bioscan/images/original_64/part3/b.jpg", "bioscan/images/original_64/part3/a.jpg"]
    assert [row[:2] for row in read_rows(places[2])] == [("note.txt", "original_64"), ("c.png", "original_64")]


def test_same_bytes_for_any_number_of_threads(tmp_path):
    make_chunk(tmp_path / "chunk.zip", {f"{side}.jpg": photograph(side, 100) for side in range(70, 100)})
    for threads in (1, 4):
        places = tmp_path / "chunk.zip", tmp_path / f"{threads}.zip", tmp_path / "quarantine.tsv"
        resize_chunk(*places, RESIZE, "original_64", "3", False, 0, threads)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "4.zip").read_bytes()


def test_too_many_unreadable_images_fail_with_the_list(tmp_path):
    make_chunk(tmp_path / "chunk.zip", {"a.jpg": b"damaged", "b.jpg": photograph(80, 80)})
    places = tmp_path / "chunk.zip", tmp_path / "shard.zip", tmp_path / "quarantine.tsv"
    with pytest.raises(InputError, match=r"chunk.zip: 1 of 2 images .*a.jpg"):
        resize_chunk(*places, RESIZE, "original_64", "3", False, 0.01, 1)


def test_a_missing_chunk_is_named(tmp_path):
    places = tmp_path / "chunk.zip", tmp_path / "shard.zip", tmp_path / "quarantine.tsv"
    with pytest.raises(InputError, match=r"chunk.zip: no such file"):
        resize_chunk(*places, RESIZE, "original_64", "3", False, 0.01, 1)
    assert not places[1].exists()


def test_the_folders_of_a_published_zip_of_many_chunks_are_kept(tmp_path):
    with ZipWriter(tmp_path / "1-20.zip") as archive:
        for name in ("crops/part7/a.jpg", "part8/b.jpg", "c.jpg"):
            archive.add(name, photograph(80, 80))
    places = tmp_path / "1-20.zip", tmp_path / "shard.zip", tmp_path / "lost.tsv"
    resize_chunk(*places, RESIZE, "cropped_64", "1-20", True, 0, 1)
    folders = [
        member.name.removeprefix("bioscan/images/cropped_64/") for member in list_members(tmp_path / "shard.zip")
    ]
    assert folders == ["part7/a.jpg", "part8/b.jpg", "part1-20/c.jpg"]
