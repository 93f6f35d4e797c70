"""Large images are decoded one at a time, and transparent ones without further copies of the whole."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bioscan1m.foundation import images
from bioscan1m.foundation.images import ROWS_AT_A_TIME, decode
from bioscan1m.foundation.streams import map_in_order


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


@settings(deadline=None, max_examples=30)
@given(
    mode=st.sampled_from(["RGBA", "LA"]),
    height=st.sampled_from([1, ROWS_AT_A_TIME - 1, ROWS_AT_A_TIME, ROWS_AT_A_TIME + 1, 2 * ROWS_AT_A_TIME + 3]),
    seed=st.integers(0, 2**16),
)
def test_a_transparent_image_has_the_pixels_of_one_composition(mode, height, seed):
    channels = {"RGBA": 4, "LA": 2}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (height, 5, channels), np.uint8)
    image = Image.fromarray(pixels, mode)
    rgba = image.convert("RGBA")
    whole = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    assert np.array_equal(np.asarray(decode(png(image))), np.asarray(whole))


@pytest.mark.parametrize(("largest", "expected"), [(10, 1), (10**6, 2)])
def test_threads_decode_small_images_together_and_large_ones_in_turn(monkeypatch, largest, expected):
    monkeypatch.setattr(images, "LARGE_PIXELS", largest)
    at_work, most, lock, decoding = 0, 0, threading.Lock(), images._decoded
    both = threading.Event()

    def counted(image: Image.Image, data: bytes) -> Image.Image:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
            if at_work == expected:
                both.set()
        both.wait(10)
        decoded = decoding(image, data)
        with lock:
            at_work -= 1
        return decoded

    monkeypatch.setattr(images, "_decoded", counted)
    data = png(Image.new("RGBA", (8, 8)))
    assert len(list(map_in_order(decode, [data] * 6, 2))) == 6
    assert most == expected
