"""What the selected classifier gets wrong on the test set, with the images (figures A3 and A4 of the paper)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import ImageOps

from bioscan1m.images import decode
from bioscan1m.metrics import probabilities
from bioscan1m.predictions import Predictions

COLUMNS, ROWS = 6, 4
THUMBNAIL = 192  # pixels of each side


def draw_misclassified(predictions: Predictions, package: Mapping[str, bytes], title: str) -> Figure:
    """The misclassified images of which the classifier is surest, with true class, prediction and probability.

    The heading gives their number and the share of them that is predicted as the dominant class, the one with most
    images, as in the paper's A6.4.
    """
    confidence = probabilities(predictions.logits).max(axis=1)
    wrong = np.flatnonzero(predictions.predicted != predictions.truth)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][: COLUMNS * ROWS]
    rows = math.ceil(len(surest) / COLUMNS)
    figure = Figure(figsize=(2.1 * COLUMNS, 0.9 + 2.4 * rows), layout="constrained")
    figure.suptitle(f"{title}\n{describe_errors(predictions)}")
    for place, index in enumerate(surest):
        axes = figure.add_subplot(rows, COLUMNS, place + 1)
        true, predicted = (predictions.classes[labels[index]] for labels in (predictions.truth, predictions.predicted))
        _draw_image(axes, package[predictions.image_files[index]])
        axes.set_title(f"{true}\nas {predicted}, {confidence[index]:.0%}", fontsize=8)
    return figure


def describe_errors(predictions: Predictions) -> str:
    """How many images are misclassified, and how many of these as the dominant class."""
    wrong = predictions.predicted != predictions.truth
    if not wrong.any():
        return f"none of {len(wrong):,} images is misclassified"
    dominant = np.bincount(predictions.truth).argmax()
    share = (predictions.predicted[wrong] == dominant).mean()
    errors = f"{wrong.sum():,} of {len(wrong):,} images are misclassified"
    return f"{errors}, {share:.1%} of these as {predictions.classes[dominant]}, the dominant class"


def _draw_image(axes: Axes, data: bytes) -> None:
    axes.imshow(np.asarray(ImageOps.pad(decode(data, THUMBNAIL), (THUMBNAIL, THUMBNAIL), color="white")))
    axes.set_axis_off()
