"""Intervals of shares over few images: exact ones of 95 % (Clopper and Pearson 1934)."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest


def share_interval(hits: int, images: int) -> tuple[float, float]:
    """The interval of a share of `hits` among `images`, of which there is one at least; from 0 to 1."""
    interval = binomtest(hits, images).proportion_ci()
    return interval.low, interval.high


def macro_interval(matrix: np.ndarray) -> tuple[float, float]:
    """The means over the classes of the ends of the intervals of their top-1 accuracies, from 0 to 1.

    Too wide rather than too narrow: seldom are all classes at the same end.

    Args:
        matrix: counts (classes, classes) of images by true class (rows) and predicted class (columns); one at least.

    Returns:
        Where the macro top-1 may lie.
    """
    ends = [share_interval(int(row[place]), int(row.sum())) for place, row in enumerate(matrix) if row.any()]
    low, high = np.mean(ends, axis=0)
    return float(low), float(high)
