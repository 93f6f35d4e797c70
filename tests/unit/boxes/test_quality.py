"""Quality flags say what is wrong with a box: at the border, one of several, tiny, or out of focus."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from bioscan1m.boxes.quality import is_uniform, quality_columns, sharpness

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 90, 120), dtype=np.uint8)
MIDDLE = [0.3, 0.3, 0.6, 0.6]


def columns(*boxes: list[float], scores: list[float] | None = None) -> dict:
    chosen = np.array(boxes, dtype=np.float32)
    return quality_columns(PIXELS, chosen, np.array(scores or [0.9] + [0.1] * (len(boxes) - 1)))


@pytest.mark.parametrize(
    ("box", "touches"),
    [
        (MIDDLE, False),
        ([0, 0.3, 0.5, 0.6], True),
        ([0.3, 0.001, 0.5, 0.6], True),
        ([0.3, 0.3, 1, 0.6], True),
        ([0.3, 0.3, 0.5, 0.997], True),
        ([0.02, 0.02, 0.98, 0.98], False),
    ],
)
def test_a_box_at_the_border(box, touches):
    assert columns(box)["touches_border"] is touches


@pytest.mark.parametrize(
    ("other", "score", "ambiguous", "second"),
    [
        ([0.7, 0.7, 0.9, 0.9], 0.8, True, 0.8),
        ([0.7, 0.7, 0.9, 0.9], 0.5, False, 0.5),
        ([0.31, 0.3, 0.6, 0.6], 0.89, False, 0.0),  # another query on the same insect
    ],
)
def test_a_second_box_elsewhere(other, score, ambiguous, second):
    found = columns(MIDDLE, other, scores=[0.9, score])
    assert found["ambiguous"] is ambiguous
    assert found["second_score"] == pytest.approx(second)


def test_a_tiny_box_and_its_share():
    assert columns(MIDDLE)["box_share"] == pytest.approx(0.09)
    assert not columns(MIDDLE)["tiny"]
    assert columns([0.5, 0.5, 0.54, 0.54])["tiny"] is True


@pytest.mark.parametrize(("noise", "blank"), [(0, True), (1.0, True), (6.0, False)])
def test_an_image_of_one_value_with_the_noise_of_a_sensor_is_blank(noise, blank):
    values = np.random.default_rng(1).normal(90, noise, (3, 60, 80)) if noise else np.zeros((3, 60, 80))
    assert is_uniform(values.clip(0, 255).astype(np.uint8)) is blank
    assert not is_uniform(PIXELS)


@given(st.floats(1, 4), st.floats(1, 4))
def test_a_blurred_insect_is_less_sharp_the_more_so_the_more_it_is_blurred(less, more):
    less, more = sorted((less, more))
    image = Image.fromarray(PIXELS.transpose(1, 2, 0))
    blurred = [np.asarray(image.filter(ImageFilter.GaussianBlur(radius))).transpose(2, 0, 1) for radius in (less, more)]
    measured = [sharpness(pixels, np.array(MIDDLE)) for pixels in (PIXELS, *blurred)]
    assert measured[0] > measured[1] >= measured[2] - 1


def test_sharpness_sees_the_box_alone():
    pixels = np.full((3, 90, 120), 200, dtype=np.uint8)
    pixels[:, :20] = PIXELS[:, :20]
    assert sharpness(pixels, np.array(MIDDLE)) == 0
    assert sharpness(pixels, np.array([0, 0, 0.5, 0.2])) > 1000


@pytest.mark.parametrize("box", [[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.505, 0.7], [1, 1, 1, 1]])
def test_a_box_without_extent_has_no_sharpness(box):
    found = columns(box)
    assert found["sharpness"] is None and found["tiny"]
