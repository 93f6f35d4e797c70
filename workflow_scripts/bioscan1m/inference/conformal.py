"""Sets of classes instead of guesses: conformal prediction that holds for each class on its own.

How badly a class fits an image is 1 minus the probability that the classifier gives it (Sadinle et al. 2019). Of the
calibration images of a class the level's share fits no worse than the class's threshold; an image's set holds every
class that fits it no worse than that, and always the most probable class. Since each class has a separate threshold
(Mondrian: Vovk et al. 2005, 4.5), the sets hold the true class in at least the level's share of the images of every
class, rare ones too, as long as calibration and new images are drawn alike.

A class needs ceil(level / (1 - level)) calibration images for that, 19 at 95 %. The classes with fewer share one
threshold, that of all their images together; where these are too few as well, the class with the next fewest images
joins them, until they are enough. For these classes the promise holds for their images together, not for each class.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bioscan1m.experiments.metrics import probabilities
from bioscan1m.experiments.predictions import Predictions


@dataclass(frozen=True)
class Thresholds:
    """The worst fit at which a class still belongs into a set, and whether it is one that classes share."""

    worst_fit: np.ndarray  # (classes,) float64, infinite where all calibration images together are too few
    shared: np.ndarray  # (classes,) bool


def class_thresholds(calibration: Predictions, level: float) -> Thresholds:
    """The thresholds of the classes.

    Of the n calibration images of a class, or of the classes that share a threshold, it is the fit with the rank
    ceil((n + 1) * level), from the best fit on.
    """
    own = _misfits(calibration.logits)[np.arange(len(calibration.truth)), calibration.truth]
    shared = _sharing(np.bincount(calibration.truth, minlength=len(calibration.classes)), level)
    together = conformal_threshold(own[shared[calibration.truth]], level)
    worst_fit = [
        together if shared[place] else conformal_threshold(own[calibration.truth == place], level)
        for place in range(len(shared))
    ]
    return Thresholds(np.array(worst_fit), shared)


def prediction_sets(logits: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    """Whether each class is in the set of each image: bool (images, classes); the most probable one always is."""
    members = _misfits(logits) <= thresholds.worst_fit
    members[np.arange(len(logits)), logits.argmax(axis=1)] = True
    return members


def conformal_threshold(scores: np.ndarray, level: float) -> float:
    """What a new score does not exceed with the probability `level` or more; infinite where the scores are too few."""
    rank = _rank(len(scores), level)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


def enough_images(images: int, level: float) -> bool:
    """Whether so many calibration images suffice for a threshold."""
    return _rank(images, level) <= images


def _sharing(images: np.ndarray, level: float) -> np.ndarray:
    """Which classes, by their numbers of calibration images, share a threshold: bool (classes,)."""
    shared = np.array([not enough_images(number, level) for number in images], dtype=bool)
    for place in np.argsort(images, kind="stable"):
        if not shared.any() or enough_images(images[shared].sum(), level):
            break
        shared[place] = True
    return shared


def _misfits(logits: np.ndarray) -> np.ndarray:
    return 1 - probabilities(logits)


def _rank(images: int, level: float) -> int:
    return math.ceil(round((images + 1) * level, 9))  # 9 decimals: 0.95 * 20 is 19, which binary fractions miss
