"""An image is scaled into the input so that boxes, as fractions of it, keep their place."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from transformers.image_transforms import get_size_with_aspect_ratio

from bioscan1m.detector.preprocessing import Preprocessor, read_preprocessor, resized, write_preprocessor
from bioscan1m.foundation.errors import InputError, UnreadableImage

PUBLISHED = Preprocessor(shortest_side=800, longest_side=1333)
sides = st.integers(1, 5000)


def jpeg(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **{"quality": 95, **options})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("size", "input_size"),
    [
        ((2880, 2160), (1066, 800)),  # an original of BIOSCAN-1M
        ((2160, 2880), (800, 1066)),
        ((640, 480), (1066, 800)),  # a small image is enlarged
        ((3000, 1000), (1333, 444)),  # the longest side limits
        ((1921, 1083), (1333, 752)),  # 751.5
        ((1, 1), (800, 800)),
        ((30_000, 1), (1333, 1)),
    ],
)
def test_size_of_the_input(size, input_size):
    assert PUBLISHED.input_size(*size) == input_size


@given(sides, sides)
def test_the_input_is_as_large_as_the_limits_allow(width, height):
    fitted = PUBLISHED.input_size(width, height)
    assert min(fitted) <= 800 and max(fitted) <= 1333
    assert min(fitted) == 800 or max(fitted) == 1333
    if width / height < 800 and height / width < 800:
        assert abs(fitted[0] * height - fitted[1] * width) <= max(width, height)  # the aspect, to the pixel


@given(sides, sides)
def test_the_input_is_that_of_transformers(width, height):
    theirs = get_size_with_aspect_ratio((height, width), 800, 1333)[::-1]
    assume(min(theirs) not in (0, min(width, height)))  # they leave an image as it is if its shorter side is right
    ours = PUBLISHED.input_size(width, height)
    assert min(ours) == min(theirs)
    assert 0 <= max(ours) - max(theirs) <= 1  # 1333 may be 1332.99 there, of which the fraction is lost


@settings(max_examples=25, deadline=None)
@given(st.integers(40, 400), st.integers(40, 400), st.tuples(*[st.floats(0.05, 0.5)] * 4))
def test_a_box_keeps_its_place(width, height, fractions):
    left, top = int(fractions[0] * width), int(fractions[1] * height)
    right, bottom = left + max(8, int(fractions[2] * width)), top + max(8, int(fractions[3] * height))
    right, bottom = min(right, width), min(bottom, height)
    image = Image.new("RGB", (width, height), "white")
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill="black")
    prepared = Preprocessor(shortest_side=96, longest_side=128).prepare(jpeg(image, subsampling=0))
    assert (prepared.width, prepared.height) == (width, height)
    dark = prepared.pixels.mean(axis=0) < 128
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    scale_x, scale_y = width / dark.shape[1], height / dark.shape[0]
    found = [columns[0] * scale_x, rows[0] * scale_y, (columns[-1] + 1) * scale_x, (rows[-1] + 1) * scale_y]
    tolerance = 1.5 * max(scale_x, scale_y, 1)
    np.testing.assert_allclose(found, [left, top, right, bottom], atol=tolerance)


def test_a_turned_photograph_is_prepared_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    prepared = PUBLISHED.prepare(jpeg(Image.new("RGB", (80, 60)), exif=exif))
    assert (prepared.width, prepared.height) == (60, 80)
    assert prepared.pixels.shape == (3, 1066, 800)
    assert prepared.pixels.dtype == np.uint8


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (1066, 800), (2400, 1900)])
def test_channels_are_those_of_the_image(size):
    """The last one is beyond the 16 MB of Pillow's pieces of memory."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8))
    channels = resized(noise, size)
    assert channels.flags.c_contiguous and channels.dtype == np.uint8
    assert (channels == np.moveaxis(np.asarray(noise), 2, 0)).all()


def test_what_is_no_image_says_so():
    with pytest.raises(UnreadableImage, match="not an image"):
        PUBLISHED.prepare(b"text")


def test_the_file_holds_the_preprocessor(tmp_path):
    write_preprocessor(tmp_path / "preprocessor.json", PUBLISHED)
    assert read_preprocessor(tmp_path / "preprocessor.json") == PUBLISHED


@pytest.mark.parametrize("content", ["{", "[]", '{"size": 800}', '{"shortest_side": 800}'])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / "preprocessor.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"preprocessor\.json: no preprocessor"):
        read_preprocessor(path)
