"""Images as cameras, microscopes and broken transfers leave them: read right, or refused with the reason."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from bioscan1m.foundation import image_signatures
from bioscan1m.foundation.errors import UnreadableImage
from bioscan1m.foundation.image_reading import Reading, reading_images
from bioscan1m.foundation.images import decode, image_size

CASES = Path(__file__).parents[2] / "cases"
RAMP = np.linspace(0, 1, 64 * 48).reshape(48, 64)
TAGS = TiffImagePlugin.ImageFileDirectory_v2


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def tiff(values: np.ndarray, **tags: int | float) -> bytes:
    """A TIFF of one channel with further tags, named as in the specification."""
    numbers = {"photometric": 262, "smallest": 340, "largest": 341}
    info = TAGS()
    for name, value in tags.items():
        info.tagtype[numbers[name]] = 3 if isinstance(value, int) else 11
        info[numbers[name]] = value
    return encoded(Image.fromarray(values), "TIFF", tiffinfo=info)


def fills_the_range(data: bytes, stated: tuple[float, float] | None = None) -> bool:
    with reading_images(Reading(range=stated)):
        pixels = np.asarray(decode(data).convert("L"), dtype=float)
    return np.abs(pixels - 255 * RAMP).max() <= 1


@pytest.mark.parametrize("name", ["gray12in16.tif", "float01.tif"])
def test_the_true_range_of_a_case_fills_eight_bits(name):
    pixels = np.asarray(decode((CASES / name).read_bytes()))
    assert (pixels.min(), pixels.max()) == (0, 255)


@settings(deadline=None, max_examples=30)
@given(bits=st.sampled_from([10, 12, 14, 16]), kind=st.sampled_from([np.uint16, np.int32]))
def test_bits_of_a_sensor_in_a_larger_file_fill_eight_bits(bits, kind):
    values = np.rint(RAMP * (2**bits - 1)).astype(kind)
    assert fills_the_range(tiff(values))
    if kind is np.uint16:
        assert fills_the_range(encoded(Image.fromarray(values), "PNG"))


def test_eight_bits_in_thirty_two_are_not_stretched():
    values = np.rint(RAMP * 199).astype(np.int32)
    assert np.asarray(decode(tiff(values))).max() == 199
    assert np.asarray(decode(tiff(values.astype(np.float32)))).max() == 199


@pytest.mark.parametrize("largest", [1.0, 200.0, 4095.0])
def test_fractions_and_numbers_with_a_point_fill_eight_bits(largest):
    data = tiff((RAMP * largest).astype(np.float32), smallest=0.0, largest=largest)
    assert fills_the_range(data)


def test_min_is_white_is_inverted():
    values = np.rint((1 - RAMP) * 65535).astype(np.uint16)
    assert fills_the_range(tiff(values, photometric=0))


@pytest.mark.parametrize(
    "values",
    [
        (RAMP * 2e6).astype(np.int32),
        (RAMP * 2 - 1).astype(np.float32),
        (RAMP * 1e6).astype(np.float32),
    ],
    ids=["beyond 16 bits", "below 0", "large fractions"],
)
def test_a_range_that_nothing_names_is_refused_until_the_config_states_it(values):
    with pytest.raises(UnreadableImage, match=r"range of a 32-bit image is unknown; .* images.range"):
        decode(tiff(values))
    assert fills_the_range(tiff(values), (float(values.min()), float(values.max())))


def test_numbers_that_are_not_finite_are_refused():
    values = RAMP.astype(np.float32)
    values[0, 0] = np.nan
    with pytest.raises(UnreadableImage, match="no finite numbers"):
        decode(tiff(values))


def test_the_case_without_a_known_range_is_refused():
    with pytest.raises(UnreadableImage, match="range of a 32-bit image is unknown"):
        decode((CASES / "uint32.tif").read_bytes())
    with reading_images(Reading(range=(0, 2**32 - 1))):
        pixels = np.asarray(decode((CASES / "uint32.tif").read_bytes()))
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_adobe_rgb_becomes_srgb():
    image = decode((CASES / "adobe.png").read_bytes())
    with Image.open(CASES / "adobe.png") as source:
        rows, columns = np.nonzero((np.asarray(source) == (90, 140, 60)).all(axis=2))
    assert np.abs(np.asarray(image, dtype=int)[rows, columns] - (53, 141, 50)).max() <= 2


def test_an_srgb_profile_and_a_damaged_one_change_no_pixel():
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    profiles = [ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"no profile", b"\0" * 128]
    for profile in profiles:
        assert decode(encoded(image, "PNG", icc_profile=profile)).tobytes() == image.tobytes()


def test_a_grey_image_with_a_colour_profile_is_read():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    assert decode(encoded(Image.new("L", (8, 8), 77), "PNG", icc_profile=profile)).getpixel((0, 0)) == (77, 77, 77)


def photograph(**options: object) -> bytes:
    noise = np.random.default_rng(2).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return encoded(Image.fromarray(noise).resize((320, 240)), "JPEG", quality=90, **options)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_jpeg_whose_tail_is_zeros_is_truncated(progressive, share):
    data = photograph(progressive=progressive)
    whole = int(len(data) * share)
    with pytest.raises(UnreadableImage, match="truncated"):
        decode(data[:whole] + bytes(len(data) - whole))


def test_the_case_with_a_tail_of_zeros_is_truncated():
    with pytest.raises(UnreadableImage, match="truncated"):
        decode((CASES / "zerotail.jpg").read_bytes())


def test_a_jpeg_that_was_saved_again_after_a_broken_transfer_is_truncated():
    image = decode(photograph())
    image.paste((128, 128, 128), (0, 150, 320, 240))
    for side in (None, 60):
        with pytest.raises(UnreadableImage, match="grey rows"):
            decode(encoded(image, "JPEG", quality=90), side)


@pytest.mark.parametrize("after", [b"", b"\0" * 5000, b"trailer of a telephone"])
def test_bytes_after_the_end_of_a_jpeg_and_a_thumbnail_in_it_change_nothing(after):
    exif = Image.Exif()
    exif[0x010E] = "x" * 300 + "\xff\xd9"
    assert decode(photograph(exif=exif.tobytes()) + after).size == (320, 240)


def test_a_png_with_megabytes_of_text_is_read():
    assert decode((CASES / "big_ztxt.png").read_bytes()).mode == "RGB"
    text = PngImagePlugin.PngInfo()
    for number in range(3):
        text.add_itxt(f"note {number}", "ö" * 2**20, zip=True)
    assert decode(encoded(Image.new("RGB", (8, 8), "red"), "PNG", pnginfo=text)).getpixel((0, 0)) == (255, 0, 0)


def pages(*sizes: tuple[int, int], form: str = "TIFF") -> bytes:
    images = [Image.new("RGB", size, (number * 40, 9, 9)) for number, size in enumerate(sizes, 1)]
    return encoded(images[0], form, save_all=True, append_images=images[1:])


def test_the_largest_page_is_the_photograph():
    assert decode((CASES / "thumb_first.tif").read_bytes()).size == (64, 48)
    for sizes in ([(16, 12), (64, 48)], [(64, 48), (16, 12)], [(20, 20), (64, 48), (32, 32)]):
        data = pages(*sizes)
        assert decode(data).size == image_size(data) == (64, 48)


@pytest.mark.parametrize(("form", "kind"), [("TIFF", "z-stack"), ("GIF", "animation"), ("PNG", "animation")])
def test_several_pages_of_one_size_are_refused_until_the_config_picks_one(form, kind):
    data = pages((64, 48), (64, 48), (64, 48), form=form)
    with pytest.raises(UnreadableImage, match=rf"{kind} of 3 planes; export the one to use.*images\.page"):
        decode(data)
    with reading_images(Reading(page=1)):
        assert decode(data).getpixel((0, 0)) == (80, 9, 9)


@pytest.mark.parametrize(
    ("begin", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"II*\0\x10\0\0\0CR\2\0", "raw"),
        (b"\0\0\0\x18ftypcrx ", "raw"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
        (b"%PDF-1.7", "PDF"),
        (b"8BPS\0\1", "Photoshop"),
    ],
)
def test_a_format_that_cannot_be_read_is_named_with_what_to_do(begin, name):
    with pytest.raises(UnreadableImage, match=rf"{name}.*, which cannot be read; export it as JPEG|damaged image"):
        decode(begin + bytes(200))


@pytest.mark.parametrize("form", ["PNG", "GIF", "TIFF"])
def test_a_photograph_that_is_cut_off_early_is_called_damaged(form):
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, form)
    with pytest.raises(UnreadableImage, match=rf"damaged (or unusual )?{form} image"):
        decode(file.getvalue()[:12])


def test_a_tiff_of_an_unusual_kind_is_called_a_tiff():
    file = io.BytesIO()
    Image.new("F", (64, 48)).save(file, "TIFF")
    bits = struct.Struct("<HHIHH").pack
    data = file.getvalue().replace(bits(258, 3, 1, 32, 0), bits(258, 3, 1, 64, 0))
    with pytest.raises(UnreadableImage, match="unusual TIFF image, which cannot be read; export it as JPEG"):
        decode(data)


def test_heic_is_read_where_its_package_is_installed(monkeypatch):
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), (200, 40, 90))).save(file, quality=95)
    assert np.abs(np.asarray(decode(file.getvalue()), dtype=int) - (200, 40, 90)).max() <= 4
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as where it is not installed
    image_signatures._has_heic.cache_clear()
    with pytest.raises(UnreadableImage, match=r"HEIC image, which cannot be read; export it .* or install pillow-heif"):
        decode(file.getvalue())
    image_signatures._has_heic.cache_clear()


def test_a_raw_file_of_which_only_a_preview_can_be_read_is_refused():
    info = TAGS()
    info[254], info.tagtype[330], info[330] = 1, 4, 8
    with pytest.raises(UnreadableImage, match="raw file, of which only a preview"):
        decode(encoded(Image.new("RGB", (16, 12)), "TIFF", tiffinfo=info))


def deep_png(values: np.ndarray) -> bytes:
    """A PNG with colours (h, w, 3) of 16 bits, which Pillow does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def deep_tiff(values: np.ndarray) -> bytes:
    """The same as an uncompressed TIFF of one strip."""
    height, width, _ = values.shape
    data = values.astype("<u2").tobytes()
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 8), (259, 3, 1, 1), (262, 3, 1, 2)]
    tags += [(273, 4, 1, 14), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(data))]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = struct.pack("<2sHI", b"II", 42, 14 + len(data)) + struct.pack("<3H", 16, 16, 16)
    return head + data + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("write", [deep_png, deep_tiff])
def test_colours_of_twelve_bits_in_sixteen_are_refused_not_black(write):
    values = np.repeat(RAMP[..., None], 3, axis=2)
    with pytest.raises(UnreadableImage, match="16-bit colours that use 12 bits or fewer"):
        decode(write(values * 4095))
    assert np.asarray(decode(write(values * 65535))).max() == 255
