"""Every metric equals scikit-learn's on random cases, and the odd cases are defined."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics
from sklearn.calibration import calibration_curve

from bioscan1m.experiments.metrics import (
    CALIBRATION_BINS,
    class_accuracy,
    classification_metrics,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    macro_top_k_accuracy,
    micro_f1,
    probabilities,
    ranks,
    reliability_curve,
    top_k_accuracy,
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """True classes and logits: not every class needs to occur, and often the true class has the highest logit.

    In half of the cases the logits are whole numbers, so that many of them are equal.
    """
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes, images = draw(st.integers(2, 12)), draw(st.integers(1, 60))
    truth = random.integers(draw(st.integers(1, classes)), size=images)
    logits = random.normal(size=(images, classes)).astype(np.float32)
    logits[np.arange(images), truth] += draw(st.floats(0, 3))
    return truth, logits.round() if draw(st.booleans()) else logits


@given(cases(), st.integers(1, 15))
def test_top_k_accuracies_are_those_of_scikit_learn(case, k):
    truth, logits = case
    classes = logits.shape[1]
    weights = 1 / np.bincount(truth)[truth]  # each class counts as much as the others

    def expected(**weighting: np.ndarray) -> float:
        if classes == 2:  # there scikit-learn wants one score, with a threshold
            hits = np.ones(len(truth)) if k > 1 else logits.argmax(axis=1) == truth
            return np.average(hits, weights=weighting.get("sample_weight"))
        # Of equal scores the last class wins in this function of scikit-learn, and the first one in argmax and here.
        backwards = (classes - 1 - truth, logits[:, ::-1])
        return sklearn_metrics.top_k_accuracy_score(*backwards, k=k, labels=np.arange(classes), **weighting)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns where k is not below the number of classes
        assert top_k_accuracy(truth, logits, k) == pytest.approx(expected())
        assert macro_top_k_accuracy(truth, logits, k) == pytest.approx(expected(sample_weight=weights))


@given(cases())
def test_f1_scores_and_confusions_are_those_of_scikit_learn(case):
    truth, logits = case
    predicted, classes = logits.argmax(axis=1), np.arange(logits.shape[1])
    matrix = confusion_matrix(truth, logits)
    assert np.array_equal(matrix, sklearn_metrics.confusion_matrix(truth, predicted, labels=classes))
    assert micro_f1(matrix) == pytest.approx(sklearn_metrics.f1_score(truth, predicted, average="micro"))
    assert macro_f1(matrix) == pytest.approx(sklearn_metrics.f1_score(truth, predicted, average="macro"))


@given(cases())
def test_macro_top1_is_the_balanced_accuracy_and_the_mean_of_the_classes(case):
    truth, logits = case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are predicted, but not in the truth
        expected = sklearn_metrics.balanced_accuracy_score(truth, logits.argmax(axis=1))
    shares = [share for share in class_accuracy(confusion_matrix(truth, logits)) if share is not None]
    assert macro_top_k_accuracy(truth, logits, 1) == pytest.approx(expected) == pytest.approx(np.mean(shares))


@given(cases())
def test_summary_is_consistent(case):
    truth, logits = case
    summary = classification_metrics(truth, logits, [5, 3])
    assert list(summary)[:3] == ["micro_top1", "micro_top3", "micro_top5"]
    assert summary["micro_top1"] == pytest.approx(summary["micro_f1"])
    assert summary["micro_top1"] <= summary["micro_top3"] <= summary["micro_top5"]
    assert all(0 <= value <= 1 for value in summary.values())


def test_more_k_than_classes_finds_every_class():
    truth, logits = np.array([0, 1, 1]), np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    assert top_k_accuracy(truth, logits, 10) == 1
    assert macro_top_k_accuracy(truth, logits, 10) == 1


def test_equal_logits_rank_in_the_order_of_the_classes():
    logits = np.zeros((3, 3))
    assert ranks(np.array([0, 1, 2]), logits).tolist() == [0, 1, 2]
    assert top_k_accuracy(np.array([0, 1, 2]), logits, 1) == (logits.argmax(axis=1) == [0, 1, 2]).mean()


def test_a_class_without_images_has_no_accuracy():
    assert class_accuracy(np.array([[3, 1], [0, 0]])) == [0.75, None]


def test_probabilities_do_not_overflow():
    assert probabilities(np.array([[1000.0, 0.0], [0.0, 0.0]], np.float32)).tolist() == [[1.0, 0.0], [0.5, 0.5]]


def test_calibration_of_a_classifier_that_is_always_sure_and_right_half_of_the_time():
    truth, logits = np.array([0, 1] * 10), np.array([[100.0, 0.0]] * 20)
    assert reliability_curve(truth, logits) == [{"images": 20, "confidence": 1.0, "accuracy": 0.5}]
    assert expected_calibration_error(truth, logits) == pytest.approx(0.5)


@given(cases())
def test_the_reliability_curve_is_that_of_scikit_learn_and_holds_every_image_once(case):
    truth, logits = case
    bins = reliability_curve(truth, logits)
    correct, confidence = logits.argmax(axis=1) == truth, probabilities(logits).max(axis=1)
    accuracy, mean_confidence = calibration_curve(correct, confidence, n_bins=CALIBRATION_BINS)
    assert [row["accuracy"] for row in bins] == pytest.approx(accuracy)
    assert [row["confidence"] for row in bins] == pytest.approx(mean_confidence)
    assert sum(row["images"] for row in bins) == len(truth)
