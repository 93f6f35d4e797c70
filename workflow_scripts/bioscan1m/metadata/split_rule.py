"""The rule of the splits (paper, 4.1) in numbers: how many images of a class go to each part, and to a subset."""

from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction

import numpy as np

ROLES = ("train", "validation", "test")
NO_ROLE = -1  # in arrays of places in ROLES
NO_CLASS = -1  # in arrays of places in a list of classes


def split_counts(images: int, ratios: dict[str, float]) -> tuple[int, int, int]:
    """Images of one class for training, validation and test; all 0 where there are too few for three parts.

    Each part is the rounded share of the images, halves to the even number, and training takes what that leaves over.
    Three to five images give one to test and one to validation.
    """
    if 3 <= images <= 5:
        return images - 2, 1, 1
    validation, test = (round(images * Fraction(str(ratios[role]))) for role in ("validation", "test"))
    counts = images - validation - test, validation, test
    return counts if min(counts) > 0 else (0, 0, 0)


def fill_up(wanted: np.ndarray, has: np.ndarray) -> np.ndarray:
    """How many more of each part, so that the parts come as near to `wanted` as can be: int64, none below 0.

    There are as many more as the parts lack in all. Where one part has too many already, the others go short by the
    same number each, as far as they lack any: then the sum of the squared differences is smallest.
    """
    lacks = wanted - has
    more = lacks.sum()
    short = bisect_left(range(lacks.max(initial=0)), -more, key=lambda level: -np.maximum(lacks - level, 0).sum())
    added = np.maximum(lacks - short, 0)
    added[np.flatnonzero(lacks >= short)[: more - added.sum()]] += 1
    return added


def balanced_shares(available: np.ndarray, quota: int) -> np.ndarray:
    """Share `quota` images among classes: the same number of each, as far as a class has them.

    Water-filling: the lowest level that gives at least the quota; the excess comes off the largest class.
    """
    level = bisect_left(range(available.max(initial=0)), quota, key=lambda level: np.minimum(available, level).sum())
    return _take_off_largest(np.minimum(available, level), available, quota)


def proportional_shares(available: np.ndarray, quota: int) -> np.ndarray:
    """Share `quota` images among classes in proportion to what they have, but at least one of each that has any.

    Largest remainders; what the rare classes get too much comes off the largest class.
    """
    total = max(int(available.sum()), 1)
    exact = [Fraction(quota * int(images), total) for images in available]
    largest_remainders = sorted(range(len(exact)), key=lambda place: int(exact[place]) - exact[place])
    shares = np.array([int(share) for share in exact], np.int64)
    shares[largest_remainders[: quota - shares.sum()]] += 1
    return _take_off_largest(np.maximum(shares, np.minimum(available, 1)), available, quota)


SHARES = {"balanced": balanced_shares, "proportional": proportional_shares}


def _take_off_largest(shares: np.ndarray, available: np.ndarray, quota: int) -> np.ndarray:
    """The shares with what they sum to above the quota taken off the largest class, and the next while one is left."""
    shares = shares.copy()
    for place in np.argsort(-available, kind="stable"):
        shares[place] -= min(shares.sum() - quota, max(shares[place] - 1, 0))
    return shares
