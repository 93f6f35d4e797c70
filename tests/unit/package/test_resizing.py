"""Resized images have the asked shorter side, keep their shape, and lose nobody silently."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from bioscan1m.foundation.archives import ZipWriter, list_members
from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.quarantine import read_quarantine
from resize_chunk import Resize, resize_chunk, resize_image

RESIZE = Resize(pixels=64, side="shorter", filter="lanczos", jpeg_quality="keep", jpeg_quality_of_others=92)


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


def textured(width: int, height: int) -> Image.Image:
    """A picture with detail at every scale."""
    rng, image = np.random.default_rng(0), np.zeros((height, width, 3))
    for step in (2, 4, 8, 16, 32):
        noise = rng.normal(0, 12, (-(-height // step), -(-width // step), 3))
        image += np.kron(noise, np.ones((step, step, 1)))[:height, :width]
    return Image.fromarray((128 + image).clip(0, 255).astype(np.uint8))


def mean_gradient(image: Image.Image) -> float:
    """The sharpness of an image."""
    return float(np.hypot(*np.gradient(np.asarray(image.convert("L"), float))).mean())


def test_decoding_at_a_dct_scale_costs_no_sharpness(monkeypatch):
    buffer = io.BytesIO()
    textured(1280, 960).save(buffer, "JPEG", quality=95)
    scaled, bilinear = resized(buffer.getvalue()), resize_image(buffer.getvalue(), replace(RESIZE, filter="bilinear"))
    monkeypatch.setattr(Resize, "decoded_sides", 1000)
    full = mean_gradient(resized(buffer.getvalue()))
    assert mean_gradient(scaled) == pytest.approx(full, rel=0.01)
    assert mean_gradient(Image.open(io.BytesIO(bilinear))) < 0.95 * full


def resized_before(data: bytes, side: int, quality: int) -> bytes:
    """What version 0.1.0 made of a picture: the smallest DCT scale not below the target, bilinear, Pillow's tables."""
    image, buffer = Image.open(io.BytesIO(data)), io.BytesIO()
    size = tuple(round(length * side / min(image.size)) for length in image.size)
    image.draft("RGB", size)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@pytest.mark.parametrize("size", [(1280, 960), (600, 1000), (300, 256), (100, 90)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_by_the_names_of_version_0_1_0_an_image_has_the_bytes_that_it_made(size, kind):
    buffer = io.BytesIO()
    textured(*size).save(buffer, kind)
    for side, quality in ((256, 75), (64, 90)):
        resize = Resize.recorded({"short_side": side, "jpeg_quality": quality})
        assert resize_image(buffer.getvalue(), resize) == resized_before(buffer.getvalue(), side, quality)
    named = Resize(256, "shorter", "bilinear", jpeg_quality=75, jpeg_quality_of_others=75)
    as_before = resize_image(buffer.getvalue(), Resize.recorded({"short_side": 256, "jpeg_quality": 75}))
    assert resize_image(buffer.getvalue(), named) != as_before


STEEP = [[1 + place // 3 for place in range(64)], [9] * 64]


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 60},
        {"quality": 92, "subsampling": "4:4:4"},
        {"quality": 95, "subsampling": "4:2:2", "progressive": True},
        {"qtables": STEEP},
        {"qtables": [[300] * 64, [2] * 64]},  # steps of 16 bits
        {"qtables": [[3] * 64, [5] * 64, [7] * 64], "subsampling": 0},
    ],
)
def test_the_compression_of_a_jpeg_is_kept(options):
    buffer = io.BytesIO()
    textured(320, 240).save(buffer, "JPEG", **options)
    source, small = Image.open(io.BytesIO(buffer.getvalue())), resized(buffer.getvalue())
    assert small.quantization == source.quantization
    assert JpegImagePlugin.get_sampling(small) == JpegImagePlugin.get_sampling(source)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_the_tables_of_other_colours_are_kept_too(mode):
    buffer = io.BytesIO()
    textured(320, 240).convert(mode).save(buffer, "JPEG", quality=88)
    source, small = Image.open(io.BytesIO(buffer.getvalue())), resized(buffer.getvalue())
    assert small.mode == "RGB" and small.quantization[0] == source.quantization[0]


def test_a_picture_of_another_format_has_the_stated_quality():
    buffer, stated = io.BytesIO(), io.BytesIO()
    textured(320, 240).save(buffer, "PNG")
    Image.new("RGB", (8, 8)).save(stated, "JPEG", quality=RESIZE.jpeg_quality_of_others)
    assert resized(buffer.getvalue()).quantization == Image.open(stated).quantization


def test_a_number_replaces_the_quality_of_the_source():
    low, high = (replace(RESIZE, jpeg_quality=quality) for quality in (30, 90))
    picture = photograph(320, 240, quality=75)
    assert len(resize_image(picture, low)) < len(resize_image(picture, RESIZE)) < len(resize_image(picture, high))


def test_noise_that_hardly_compresses_is_written_all_the_same():
    noise = np.random.default_rng(0).integers(0, 2, (64, 64, 3), dtype=np.uint8) * 255
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG", qtables=[[1] * 64], subsampling=0)
    assert np.abs(np.asarray(resized(buffer.getvalue()), int) - noise).mean() < 3


@pytest.mark.parametrize(("side", "size"), [("height", (48, 64)), ("width", (64, 85)), ("longer", (48, 64))])
def test_the_side_is_a_choice(side, size):
    chosen = replace(RESIZE, side=side)
    assert Image.open(io.BytesIO(resize_image(photograph(300, 400), chosen))).size == size


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
    images = {"b.jpg": photograph(90, 80), "note.jpg": b"no image", "a.jpg": photograph(80, 90), "c.png": b""}
    make_chunk(tmp_path / "chunk.zip", images)
    places = tmp_path / "chunk.zip", tmp_path / "shard.zip", tmp_path / "quarantine.tsv"
    assert resize_chunk(
        *places, resize=RESIZE, package="original_64", chunk="3", keep_folders=False, unreadable_limit=0.5, threads=2
    ) == {"in": 4, "out": 2, "quarantined": 2}
    names = [member.name for member in list_members(places[1])]
    assert names == ["bioscan/images/original_64/part3/b.jpg", "bioscan/images/original_64/part3/a.jpg"]
    assert [row[:2] for row in read_quarantine(places[2])] == [("note.jpg", "original_64"), ("c.png", "original_64")]


def test_same_bytes_for_any_number_of_threads(tmp_path):
    make_chunk(tmp_path / "chunk.zip", {f"{side}.jpg": photograph(side, 100) for side in range(70, 100)})
    for threads in (1, 4):
        places = tmp_path / "chunk.zip", tmp_path / f"{threads}.zip", tmp_path / "quarantine.tsv"
        resize_chunk(
            *places,
            resize=RESIZE,
            package="original_64",
            chunk="3",
            keep_folders=False,
            unreadable_limit=0,
            threads=threads,
        )
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "4.zip").read_bytes()


def test_too_many_unreadable_images_fail_with_the_list(tmp_path):
    make_chunk(tmp_path / "chunk.zip", {"a.jpg": b"damaged", "b.jpg": photograph(80, 80)})
    places = tmp_path / "chunk.zip", tmp_path / "shard.zip", tmp_path / "quarantine.tsv"
    with pytest.raises(InputError, match=r"chunk.zip: 1 of 2 images .*a.jpg"):
        resize_chunk(
            *places,
            resize=RESIZE,
            package="original_64",
            chunk="3",
            keep_folders=False,
            unreadable_limit=0.01,
            threads=1,
        )


def test_a_missing_chunk_is_named(tmp_path):
    places = tmp_path / "chunk.zip", tmp_path / "shard.zip", tmp_path / "quarantine.tsv"
    with pytest.raises(InputError, match=r"chunk.zip: no such file"):
        resize_chunk(
            *places,
            resize=RESIZE,
            package="original_64",
            chunk="3",
            keep_folders=False,
            unreadable_limit=0.01,
            threads=1,
        )
    assert not places[1].exists()


def test_the_folders_of_a_published_zip_of_many_chunks_are_kept(tmp_path):
    with ZipWriter(tmp_path / "1-20.zip") as archive:
        for name in ("crops/part7/a.jpg", "part8/b.jpg", "c.jpg"):
            archive.add(name, photograph(80, 80))
    places = tmp_path / "1-20.zip", tmp_path / "shard.zip", tmp_path / "lost.tsv"
    resize_chunk(
        *places, resize=RESIZE, package="cropped_64", chunk="1-20", keep_folders=True, unreadable_limit=0, threads=1
    )
    folders = [
        member.name.removeprefix("bioscan/images/cropped_64/") for member in list_members(tmp_path / "shard.zip")
    ]
    assert folders == ["part7/a.jpg", "part8/b.jpg", "part1-20/c.jpg"]
