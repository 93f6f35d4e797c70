"""Intervals hold the share itself, are narrow where images are many, and miss a true share as seldom as they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.experiments.intervals import macro_interval, share_interval


@given(st.integers(1, 300), st.data())
def test_an_interval_holds_its_share_and_is_narrower_of_ten_times_the_images(images, data):
    hits = data.draw(st.integers(0, images))
    low, high = share_interval(hits, images)
    assert 0 <= low <= hits / images <= high <= 1
    many = share_interval(10 * hits, 10 * images)
    assert many[1] - many[0] < high - low


def test_of_one_image_nearly_every_share_is_possible():
    assert share_interval(1, 1) == pytest.approx((0.025, 1))
    assert share_interval(2, 10) == pytest.approx((0.0252, 0.5561), abs=1e-4)


def test_the_true_share_is_missed_in_at_most_one_of_twenty_samples():
    hits = np.random.default_rng(1).binomial(30, 0.8, size=2000)
    ends = [share_interval(int(one), 30) for one in hits]
    assert np.mean([low <= 0.8 <= high for low, high in ends]) >= 0.95


def test_a_macro_figure_has_the_mean_of_the_intervals_of_classes_with_images():
    matrix = np.array([[8, 2, 0], [0, 0, 0], [1, 0, 3]])
    ends = share_interval(8, 10), share_interval(3, 4)
    assert macro_interval(matrix) == pytest.approx(tuple(np.mean(ends, axis=0)))
