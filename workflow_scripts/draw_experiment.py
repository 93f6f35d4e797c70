"""Draw one experiment: training curves, accuracy by class, confusions, calibration, and the images that it gets wrong.

The figures are 5, A1, A2, A4 and the curves of A11 of the paper, for any experiment.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bioscan1m.experiments.dominant_class import dominant_classes
from bioscan1m.experiments.figures import (
    draw_class_accuracy,
    draw_confusion_matrix,
    draw_reliability,
    draw_training_curves,
)
from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import Predictions, read_predictions
from bioscan1m.experiments.results import read_results
from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.gallery import IMAGES_PER_ROW, draw_gallery, first_shown
from bioscan1m.jobs.context import job
from bioscan1m.package.images import ImagePackage

ROWS = 4
# Packages that have the same specimens: of each, its images are shown one below the other.
Packages = Sequence[Mapping[str, bytes]]


def draw_misclassified(predictions: Predictions, packages: Packages, title: str) -> Figure:
    """The misclassified images of which the classifier is surest, and how many are misclassified at all."""
    return _draw_surest(predictions, packages, predictions.misclassified, f"{title}\n{describe_errors(predictions)}")


def draw_taken_for_dominant(predictions: Predictions, packages: Packages, title: str, dominant: str) -> Figure:
    """The surest of the images that are taken for the class `dominant` (figure A4), and their share of all errors."""
    taken = predictions.misclassified & (predictions.predicted == predictions.classes.index(dominant))
    return _draw_surest(predictions, packages, taken, f"{title}\n{describe_taken_for_dominant(predictions, dominant)}")


def describe_errors(predictions: Predictions) -> str:
    """How many images are misclassified."""
    wrong = predictions.misclassified
    if not wrong.any():
        return f"none of {len(wrong):,} images is misclassified"
    return f"{wrong.sum():,} of {len(wrong):,} images are misclassified ({wrong.mean():.1%})"


def describe_taken_for_dominant(predictions: Predictions, dominant: str) -> str:
    """The share of the misclassified images that are predicted as the class `dominant` (A6.4)."""
    wrong = predictions.misclassified
    if not wrong.any():
        return f"none of {len(wrong):,} images is misclassified as {dominant}, the dominant class"
    taken = (predictions.predicted[wrong] == predictions.classes.index(dominant)).sum()
    return (
        f"{taken:,} of {wrong.sum():,} misclassified images are predicted as {dominant}, the dominant class "
        f"({taken / wrong.sum():.1%})"
    )


def _draw_surest(predictions: Predictions, packages: Packages, chosen: np.ndarray, heading: str) -> Figure:
    """The `chosen` images (N,) bool, those first of which the classifier is surest, with true class and prediction."""
    confidence = probabilities(predictions.logits).max(axis=1)
    indices = np.flatnonzero(chosen)
    classes = predictions.classes
    images = (
        (
            predictions.image_files[index],
            f"{classes[predictions.truth[index]]}\nas {classes[predictions.predicted[index]]}, {confidence[index]:.0%}",
        )
        for index in indices[np.argsort(-confidence[indices], kind="stable")]
    )
    return draw_gallery({heading: first_shown(images, packages, ROWS * IMAGES_PER_ROW)})


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        histories = [pd.read_csv(file, sep="\t") for file in inputs.histories]
        (test,) = read_results([inputs.test])
        predictions = read_predictions(inputs.predictions)
        packages = [ImagePackage(path) for path in (*inputs.photographs, inputs.package)]
        experiment = snakemake.wildcards.experiment
        dominant = dominant_classes(inputs.counts, {experiment: params.task})[experiment]
        save_figure(draw_training_curves(histories, read_results(inputs.validations)), outputs.training_curves)
        save_figure(draw_class_accuracy(test), outputs.class_accuracy)
        save_figure(draw_confusion_matrix(test), outputs.confusion_matrix)
        save_figure(draw_reliability(test), outputs.reliability)
        save_figure(draw_misclassified(predictions, packages, experiment), outputs.misclassified)
        taken = draw_taken_for_dominant(predictions, packages, experiment, dominant)
        save_figure(taken, outputs.taken_for_dominant)
