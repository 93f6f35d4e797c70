"""Sets hold the true class as often as promised, class by class, whatever the classifier and the data are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom

from bioscan1m.experiments.predictions import Predictions
from bioscan1m.inference.conformal import class_thresholds, enough_images, prediction_sets


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
    for place in np.flatnonzero(~class_thresholds(some, level).shared):
        own = some.truth == place
        if enough_images(own.sum() - 1, level):  # also without the new one
            assert covered[own].mean() >= level


@given(cases(), st.sampled_from([0.5, 0.8, 0.9]))
def test_the_most_probable_class_is_in_every_set(some, level):
    sets = prediction_sets(some.logits, class_thresholds(some, level))
    assert sets[np.arange(len(sets)), some.predicted].all()


@given(cases(), st.floats(0.3, 0.9))
def test_a_higher_level_only_adds_classes_with_thresholds_of_their_own(some, level):
    both = [class_thresholds(some, one) for one in (level, level + 0.09)]
    own = ~both[0].shared & ~both[1].shared
    lower, higher = (prediction_sets(some.logits, one)[:, own] for one in both)
    assert (lower <= higher).all()


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8), st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_classes_with_too_few_images_share_a_threshold_that_enough_images_decide(images, level):
    truth = np.repeat(np.arange(len(images)), images)
    logits = np.random.default_rng(1).normal(size=(len(truth), len(images)))
    found = class_thresholds(predictions(truth, logits), level)
    few = np.array([not enough_images(number, level) for number in images])
    assert (found.shared >= few).all()
    assert len(set(found.worst_fit[found.shared])) <= 1
    assert few.any() or not found.shared.any()
    enough = enough_images(len(truth), level)
    assert np.isfinite(found.worst_fit).all() == (enough or not few.any())
    if (
        found.shared.any() and found.shared.sum() > few.sum()
    ):  # others joined them: without the largest they are too few
        joined = np.flatnonzero(found.shared & ~few)
        assert not enough_images(np.array(images)[found.shared].sum() - max(np.array(images)[joined]), level)


@pytest.mark.parametrize(("level", "images"), [(0.9, 9), (0.95, 19), (0.5, 1)])
def test_a_class_has_a_threshold_of_its_own_from_so_many_images_on(level, images):
    assert not enough_images(images - 1, level) and enough_images(images, level)


def test_a_good_classifier_gets_small_sets_and_a_useless_one_gets_large_ones():
    random = np.random.default_rng(1)
    truth, noise = random.integers(5, size=2000), random.normal(size=(2000, 5))
    sizes = []
    for skill in (6, 0):
        logits = noise + skill * np.eye(5)[truth]
        calibration, new = predictions(truth[:1000], logits[:1000]), logits[1000:]
        sets = prediction_sets(new, class_thresholds(calibration, 0.9))
        assert sets[np.arange(1000), truth[1000:]].mean() > 0.87
        sizes.append(sets.sum(axis=1).mean())
    assert sizes[0] < 1.1 and sizes[1] > 4


def test_coverage_over_random_splits_is_as_beta_binomial_as_promised():
    """The share of new images that a threshold of n calibration images covers is beta-distributed (Vovk 2012)."""
    random, level, splits = np.random.default_rng(2), 0.9, 200
    sizes = {0: 60, 1: 40, 2: 25, 3: 12}  # of each half
    truth = np.repeat(list(sizes), list(sizes.values()))
    covered: dict[object, list[float]] = {place: [] for place in [*sizes, "all"]}
    for _ in range(splits):
        halves = [predictions(truth, random.normal(size=(len(truth), 4)) + 2 * np.eye(4)[truth]) for _ in range(2)]
        sets = prediction_sets(halves[1].logits, class_thresholds(halves[0], level))
        hits = sets[np.arange(len(truth)), truth]
        covered["all"].append(hits.mean())
        for place in sizes:
            covered[place].append(hits[truth == place].mean())
    for place, images in sizes.items():
        rank = math.ceil((images + 1) * level)
        expected = betabinom(images, rank, images + 1 - rank)
        mean, deviation = expected.mean() / images, expected.std() / images
        # The most probable class is always in the set, so that the sets may hold more.
        assert np.mean(covered[place]) > mean - 4 * deviation / math.sqrt(splits)
        low = expected.ppf(0.01) / images
        assert np.mean(np.array(covered[place]) < low) <= 0.01 + 4 * math.sqrt(0.01 / splits)
        assert np.mean(covered[place]) < mean + 0.02
    assert level - 0.005 < np.mean(covered["all"]) < level + 0.04
