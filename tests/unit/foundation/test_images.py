"""Any photograph becomes upright RGB, whatever its format; what cannot be one is refused with its reason."""

from __future__ import annotations

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bioscan1m.foundation.errors import UnreadableImage
from bioscan1m.foundation.images import decode, encode_jpeg, image_size, resize_shorter_side, scaled_size

RED = (254, 0, 0)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def red_left_half(width: int = 40, height: int = 20) -> Image.Image:
    """White with a red left half, so that a turn shows."""
    image = Image.new("RGB", (width, height), "white")
    image.paste(RED, (0, 0, width // 2, height))
    return image


def orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    exif[0x010F] = "a camera"
    return exif.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "YCbCr", "P", "L", "1"])
def test_every_mode_becomes_rgb(mode):
    decoded = decode(saved(red_left_half().convert(mode), "TIFF"))
    assert (decoded.mode, decoded.size) == ("RGB", (40, 20))
    if mode not in ("L", "1"):
        assert np.allclose(decoded.getpixel((5, 5)), RED, atol=2)
    assert decoded.getpixel((30, 10)) == (255, 255, 255)


def test_cmyk_jpeg():
    decoded = decode(saved(red_left_half().convert("CMYK"), "JPEG", quality=95))
    assert np.allclose(decoded.getpixel((5, 5)), RED, atol=4)


def test_sixteen_bits_are_scaled_not_clipped():
    pixels = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)
    decoded = decode(saved(Image.fromarray(pixels)))
    assert [decoded.getpixel((x, 0)) for x in range(4)] == [(value,) * 3 for value in (0, 1, 128, 255)]


def test_transparent_pixels_are_white():
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, *RED])
    palette.putpixel((1, 0), 1)
    half = Image.new("RGBA", (1, 1), (0, 0, 0, 128))
    decoded = decode(saved(palette, transparency=0))
    assert [decoded.getpixel((x, 0)) for x in range(2)] == [(255, 255, 255), RED]
    assert decode(saved(half)).getpixel((0, 0)) == (127, 127, 127)
    assert decode(saved(Image.new("LA", (1, 1), (9, 0)))).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(("value", "red"), [(1, "left"), (2, "right"), (3, "right"), (6, "top"), (8, "bottom")])
def test_photographs_are_turned_upright(kind, value, red):
    data = saved(red_left_half(), kind, exif=orientation(value))
    decoded = decode(data)
    places = {"left": (2, 10), "right": (37, 10), "top": (10, 2), "bottom": (10, 37)}
    assert decoded.size == image_size(data) == ((40, 20) if value < 5 else (20, 40))
    assert np.allclose(decoded.getpixel(places[red]), RED, atol=12)


@pytest.mark.parametrize("value", [4, 5, 7])
def test_the_size_of_the_rarer_orientations(value):
    data = saved(red_left_half(), "JPEG", exif=orientation(value))
    assert decode(data).size == image_size(data)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged EXIF
def test_damaged_exif_does_not_cost_the_photograph():
    sound = orientation(6)
    sites = [(place, byte) for place in range(len(sound)) for byte in (b"\0", b"\1", b"\xff")]
    for exif in [b"Exif\0\0garbage", *(sound[:place] + byte + sound[place + 1 :] for place, byte in sites)]:
        data = saved(red_left_half(), "JPEG", exif=exif)
        assert decode(data).size == image_size(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_one_pixel(kind):
    data = saved(Image.new("RGB", (1, 1), RED), kind)
    assert decode(data, 256).size == decode(data).size == image_size(data) == (1, 1)
    assert resize_shorter_side(decode(data), 8).size == (8, 8)


def png_that_claims(width: int, height: int) -> bytes:
    data = bytearray(saved(Image.new("RGB", (1, 1))))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"image,label\n1.jpg,fly\n", r"not an image \(begins with b'image,label"),
        (bytes(1000), "not an image"),
        (saved(red_left_half(400, 300), "JPEG")[:-400], "damaged image: .*truncated"),
        (saved(red_left_half(400, 300))[:-60], "damaged image"),
        (saved(red_left_half(), "JPEG")[:30], "image"),
        (png_that_claims(60_000, 60_000), "60000x60000 pixels, more than 200000000"),
    ],
)
def test_what_is_no_photograph_is_refused_with_its_reason(data, reason):
    for side in (None, 16):
        with pytest.raises(UnreadableImage, match=reason):
            decode(data, side)


@pytest.mark.parametrize("data", [b"", b"text", png_that_claims(60_000, 60_000), saved(red_left_half())[:-60]])
def test_what_is_no_photograph_has_no_size(data):
    with pytest.raises(UnreadableImage):
        image_size(data)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 300), st.sampled_from([1, 6]))
def test_scaled_decoding_never_goes_below_the_side_asked_for(width, height, side, turn):
    data = saved(Image.new("RGB", (width, height)), "JPEG", exif=orientation(turn))
    size = image_size(data)
    scaled = decode(data, side).size
    assert min(scaled) >= min(side, *size)
    assert any(scaled == tuple(-(-length // scale) for length in size) for scale in (1, 2, 4, 8))


def test_scaled_decoding_takes_the_smallest_scale_that_will_do():
    data = saved(red_left_half(800, 600), "JPEG")
    assert [decode(data, side).size for side in (75, 76, 151, 301)] == [(100, 75), (200, 150), (400, 300), (800, 600)]
    assert decode(saved(red_left_half(80, 60), "PNG"), 10).size == (80, 60)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64))
def test_resizing_gives_the_shorter_side_and_keeps_the_proportions(width, height, side):
    resized = resize_shorter_side(Image.new("RGB", (width, height)), side).size
    assert min(resized) == side
    assert abs(max(resized) - side * max(width, height) / min(width, height)) <= 0.5


@pytest.mark.parametrize(
    ("side", "size"), [("shorter", (128, 96)), ("height", (72, 96)), ("width", (96, 128)), ("longer", (96, 72))]
)
def test_any_side_can_have_the_length(side, size):
    original = (300, 400) if side in ("width", "height") else (400, 300)
    assert scaled_size(original, 96, side) == size


def test_no_side_of_a_scaled_image_is_empty():
    assert scaled_size((3000, 2), 96, "longer") == (96, 1)


def test_an_image_too_long_for_a_jpeg_is_refused():
    with pytest.raises(UnreadableImage, match="70000x10 pixels do not fit a JPEG"):
        resize_shorter_side(Image.new("RGB", (7000, 1)), 10)
    with pytest.raises(UnreadableImage, match="65501x1 pixels do not fit a JPEG"):
        encode_jpeg(Image.new("RGB", (65_501, 1)), 75)


def test_encoded_images_carry_nothing_but_pixels():
    extra = {"comment": b"by me", "exif": orientation(1), "icc_profile": b"profile", "dpi": (300, 300), "quality": 90}
    image = red_left_half()
    plain, rich = saved(image, "JPEG", quality=90), saved(image, "JPEG", **extra)
    assert encode_jpeg(decode(rich), 75) == encode_jpeg(decode(plain), 75)


def test_images_are_the_same_where_the_system_has_no_files_in_memory(monkeypatch):
    image = Image.effect_noise((500, 400), 90).convert("RGB")
    here = encode_jpeg(image, 90)
    monkeypatch.delattr(os, "memfd_create", raising=False)
    assert encode_jpeg(image, 90) == here
