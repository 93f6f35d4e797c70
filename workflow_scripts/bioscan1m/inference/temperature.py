"""Temperature scaling: one number makes the probabilities of a classifier as sure as it is right (Guo et al. 2017).

Networks are trained until they are too sure of themselves. The logits are divided by the temperature whose
probabilities make the labels of held-out images most likely; the order of the classes of an image stays. Where all of n
images are right, the likelihood would have no maximum; so the share 1 / (n + 2) of each label belongs to the other
classes, as in Platt 1999.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from bioscan1m.experiments.predictions import Predictions
from bioscan1m.inference.conformal import Thresholds, class_thresholds

LARGEST = 100.0  # and its inverse is the smallest: beyond, all classes are equally probable, or one is certain


def fit_temperature(predictions: Predictions) -> float:
    """The temperature of the least negative log-likelihood, 1 / LARGEST to LARGEST; 1 without an image."""
    logits, truth = predictions.logits.astype(np.float64), predictions.truth
    images, classes = logits.shape
    if not images:
        return 1.0
    doubt = 1 / (images + 2)
    labels = np.full(logits.shape, doubt / max(classes - 1, 1))
    labels[np.arange(images), truth] = 1 - doubt

    def loss(log_temperature: float) -> float:
        return float(-(labels * log_softmax(logits / np.exp(log_temperature), axis=1)).sum(axis=1).mean())

    limit = np.log(LARGEST)
    return float(np.exp(minimize_scalar(loss, bounds=(-limit, limit), method="bounded").x))


@dataclass(frozen=True)
class Calibration:
    """What makes prediction sets of the logits of one classifier."""

    temperature: float
    thresholds: Thresholds  # of the logits with the temperature


def calibrate(images: Predictions, level: float) -> Calibration:
    """The calibration by images that have chosen neither epoch nor trial, for sets of a level such as 0.95."""
    temperature = fit_temperature(images)
    return Calibration(temperature, class_thresholds(with_temperature(images, temperature), level))


def with_temperature(predictions: Predictions, temperature: float) -> Predictions:
    """The predictions with their logits divided by the temperature."""
    return replace(predictions, logits=(predictions.logits / temperature).astype(np.float32))
