"""Sets of classes instead of guesses: conformal prediction that holds for each class on its own.

How badly a class fits an image is 1 minus the probability that the classifier gives it (Sadinle et al. 2019). Of the
calibration images of a class the level's share fits no worse than the class's threshold; an image's set holds every
class that fits it no worse than that. Since each class has a threshold of its own (Mondrian: Vovk et al. 2005, 4.5),
the sets hold the true class in at least the level's share of the images of every class, rare ones too, as long as
calibration and new images are drawn alike. A class with too few calibration images for that is in every set.
"""

from __future__ import annotations

import math

import numpy as np

from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import Predictions


def class_thresholds(calibration: Predictions, level: float) -> np.ndarray:
    """The worst fit (classes,) at which a class still belongs into a set, infinite for one with too few images.

    Of a class's n calibration images it is that with the rank ceil((n + 1) * level), from the best fit on.
    """
    fits = _misfits(calibration.logits)
    own = fits[np.arange(len(fits)), calibration.truth]
    return np.array([_threshold(own[calibration.truth == place], level) for place in range(len(calibration.classes))])


def prediction_sets(logits: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Whether each class is in the set of each image: bool (images, classes). A set may be empty."""
    return _misfits(logits) <= thresholds


def _misfits(logits: np.ndarray) -> np.ndarray:
    return 1 - probabilities(logits)


def _threshold(misfits: np.ndarray, level: float) -> float:
    rank = _rank(len(misfits), level)
    return float(np.sort(misfits)[rank - 1]) if rank <= len(misfits) else math.inf


def _rank(images: int, level: float) -> int:
    return math.ceil(round((images + 1) * level, 9))  # 9 decimals: 0.95 * 20 is 19, which binary fractions miss
