"""Sets hold the true class as often as promised, class by class, whatever the classifier and the data are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.experiments.predictions import Predictions
from bioscan1m.inference.conformal import class_thresholds, prediction_sets


def predictions(truth: np.ndarray, logits: np.ndarray) -> Predictions:
    """Predictions of classes named by their place."""
    image_files = [f"{place}.jpg" for place in range(len(truth))]
    return Predictions([str(place) for place in range(logits.shape[1])], image_files, truth, logits.astype(np.float32))


@st.composite
def cases(draw: st.DrawFn) -> Predictions:
    """Few images of a few classes; the classifier is anything from useless to perfect, and may repeat itself."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes, images = draw(st.integers(2, 5)), draw(st.integers(2, 60))
    truth = random.integers(classes, size=images)
    logits = random.normal(size=(images, classes)).round(draw(st.integers(0, 4)))
    logits[np.arange(images), truth] += draw(st.sampled_from([-1, 0, 1, 4]))
    return predictions(truth, logits)


def without(some: Predictions, place: int) -> Predictions:
    return predictions(np.delete(some.truth, place), np.delete(some.logits, place, axis=0))


@given(cases(), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_of_exchangeable_images_each_class_is_covered_at_the_level(some, level):
    """Exchangeable: each image of a class is as likely as any other to be the new one, all others calibrate."""
    covered = np.array(
        [
            prediction_sets(some.logits[[place]], class_thresholds(without(some, place), level))[0, some.truth[place]]
            for place in range(len(some.truth))
        ]
    )
    for place in np.unique(some.truth):
        assert covered[some.truth == place].mean() >= level


@given(cases(), st.floats(0.3, 0.9))
def test_a_higher_level_only_adds_classes(some, level):
    lower, higher = (prediction_sets(some.logits, class_thresholds(some, one)) for one in (level, level + 0.09))
    assert (lower <= higher).all()


@pytest.mark.parametrize(("level", "images"), [(0.9, 9), (0.95, 19), (0.5, 1)])
def test_a_class_with_too_few_calibration_images_is_in_every_set(level, images):
    for number, always in ((images - 1, True), (images, False)):
        logits = np.tile([3.0, 0.0], (number + 50, 1))
        truth = np.repeat([0, 1], [number, 50])
        thresholds = class_thresholds(predictions(truth, logits), level)
        assert np.isinf(thresholds).tolist() == [always, False]
        unlikely = prediction_sets(np.array([[-9.0, 9.0]]), thresholds)
        assert unlikely[0].tolist() == [always, True]


def test_a_good_classifier_gets_small_sets_and_a_useless_one_gets_large_ones():
    random = np.random.default_rng(1)
    truth, noise = random.integers(5, size=2000), random.normal(size=(2000, 5))
    sizes = []
    for skill in (6, 0):
        logits = noise + skill * np.eye(5)[truth]
        calibration, new = predictions(truth[:1000], logits[:1000]), logits[1000:]
        sets = prediction_sets(new, class_thresholds(calibration, 0.9))
        assert sets[np.arange(1000), truth[1000:]].mean() == pytest.approx(0.9, abs=0.03)
        sizes.append(sets.sum(axis=1).mean())
    assert sizes[0] < 1.1 and sizes[1] > 4
