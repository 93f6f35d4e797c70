"""A temperature makes probabilities as sure as they are right, and never changes which class is the most probable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.inference.temperature import LARGEST, fit_temperature, with_temperature


def drawn(logits: np.ndarray, seed: int) -> Predictions:
    """Predictions whose labels are drawn with the probabilities of these logits."""
    shares = probabilities(logits).cumsum(axis=1)
    truth = (np.random.default_rng(seed).random((len(logits), 1)) > shares).sum(axis=1)
    names = [f"{place}.jpg" for place in range(len(logits))]
    return Predictions(["a", "b", "c"], names, truth.clip(max=2), logits.astype(np.float32))


@pytest.mark.parametrize("factor", [0.25, 1, 8])
def test_the_temperature_undoes_a_factor_of_the_logits(factor):
    some = drawn(2 * np.random.default_rng(1).normal(size=(5000, 3)), 2)
    found = fit_temperature(with_temperature(some, 1 / factor))
    assert found == pytest.approx(factor, rel=0.1)


@pytest.mark.parametrize("images", [3, 30, 300])
def test_images_that_are_all_right_make_no_probability_certain(images):
    truth = np.arange(images) % 3
    some = Predictions(["a", "b", "c"], [""] * images, truth, np.eye(3, dtype=np.float32)[truth])
    found = probabilities(with_temperature(some, fit_temperature(some)).logits).max(axis=1)
    assert found == pytest.approx((images + 1) / (images + 2), abs=0.01)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000))
def test_the_prediction_stays_and_the_temperature_is_within_its_limits(seed, scale):
    random = np.random.default_rng(seed)
    logits = (scale * random.normal(size=(7, 3))).astype(np.float32)
    some = Predictions(["a", "b", "c"], list("1234567"), random.integers(3, size=7), logits)
    temperature = fit_temperature(some)
    assert 1 / LARGEST <= temperature <= LARGEST
    assert (with_temperature(some, temperature).predicted == some.predicted).all()
