"""What the selected classifier gets wrong on the test set, with the images (figures A3 and A4 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.gallery import IMAGES_PER_ROW, draw_gallery

ROWS = 4


def draw_misclassified(predictions: Predictions, package: Mapping[str, bytes], title: str) -> Figure:
    """The misclassified images of which the classifier is surest (figure A3), and how many are misclassified at all."""
    return _draw_surest(predictions, package, predictions.misclassified, f"{title}\n{describe_errors(predictions)}")


def draw_taken_for_dominant(predictions: Predictions, package: Mapping[str, bytes], title: str) -> Figure:
    """The surest of the images that are taken for the dominant class (figure A4), and their share of all errors."""
    dominant = predictions.misclassified & (predictions.predicted == dominant_class(predictions))
    return _draw_surest(predictions, package, dominant, f"{title}\n{describe_taken_for_dominant(predictions)}")


def describe_errors(predictions: Predictions) -> str:
    """How many images are misclassified."""
    wrong = predictions.misclassified
    if not wrong.any():
        return f"none of {len(wrong):,} images is misclassified"
    return f"{wrong.sum():,} of {len(wrong):,} images are misclassified ({wrong.mean():.1%})"


def describe_taken_for_dominant(predictions: Predictions) -> str:
    """The share of the misclassified images that are predicted as the dominant class (A6.4)."""
    wrong = predictions.misclassified
    dominant = predictions.classes[dominant_class(predictions)]
    if not wrong.any():
        return f"none of {len(wrong):,} images is misclassified as {dominant}, the dominant class"
    taken = (predictions.predicted[wrong] == dominant_class(predictions)).sum()
    return (
        f"{taken:,} of {wrong.sum():,} misclassified images are predicted as {dominant}, the dominant class "
        f"({taken / wrong.sum():.1%})"
    )


def dominant_class(predictions: Predictions) -> int:
    """The class with most images, the first of those that are equally frequent."""
    return int(np.bincount(predictions.truth).argmax())


def _draw_surest(predictions: Predictions, package: Mapping[str, bytes], chosen: np.ndarray, heading: str) -> Figure:
    """The `chosen` images (N,) bool, those first of which the classifier is surest, with true class and prediction."""
    confidence = probabilities(predictions.logits).max(axis=1)
    indices = np.flatnonzero(chosen)
    images = []
    for index in indices[np.argsort(-confidence[indices], kind="stable")][: ROWS * IMAGES_PER_ROW]:
        true, predicted = (predictions.classes[labels[index]] for labels in (predictions.truth, predictions.predicted))
        text = f"{true}\nas {predicted}, {confidence[index]:.0%}"
        images.append((package[predictions.image_files[index]], text))
    return draw_gallery({heading: images})
