"""Temperature scaling: one number makes the probabilities of a classifier as sure as it is right (Guo et al. 2017).

Networks are trained until they are too sure of themselves. The logits are divided by the temperature whose
probabilities make the labels of held-out images most likely; the order of the classes of an image stays.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from bioscan1m.experiments.predictions import Predictions

LARGEST = 100.0  # and its inverse is the smallest: beyond, all classes are equally probable, or one is certain


def fit_temperature(predictions: Predictions) -> float:
    """The temperature of the least negative log-likelihood, 1 / LARGEST to LARGEST."""
    logits, truth = predictions.logits.astype(np.float64), predictions.truth

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((logsumexp(scaled, axis=1) - scaled[np.arange(len(truth)), truth]).mean())

    limit = np.log(LARGEST)
    return float(np.exp(minimize_scalar(loss, bounds=(-limit, limit), method="bounded").x))


def with_temperature(predictions: Predictions, temperature: float) -> Predictions:
    """The predictions with their logits divided by the temperature."""
    return replace(predictions, logits=(predictions.logits / temperature).astype(np.float32))
