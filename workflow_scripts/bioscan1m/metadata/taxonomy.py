"""From fine to coarse: what a classifier of families predicts of orders, and how deep a prediction can be trusted.

The probability of a taxon is the sum of those of the classes in it. So a classifier that wavers between two families of
one order is sure of the order, and a prediction can be given at the deepest rank at which it is still sure enough.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bioscan1m.foundation.tables import read_parquet
from bioscan1m.metadata.table import NOT_CLASSIFIED, RANKS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rank:
    """One rank of an experiment's classes, or the classes themselves: the taxa, and which of them each class is in."""

    name: str
    taxa: list[str]
    of_class: np.ndarray  # (classes,) int64, places in `taxa`

    def roll_up(self, chances: np.ndarray) -> np.ndarray:
        """Probabilities (images, taxa) of the taxa, from those of the classes (images, classes)."""
        summed = np.zeros((len(self.taxa), len(chances)))
        np.add.at(summed, self.of_class, chances.T)
        return summed.T


def read_ranks(metadata: str | Path, label: str, classes: Sequence[str]) -> list[Rank]:
    """The ranks of the classes, the coarsest first, the classes themselves last.

    Args:
        metadata: The validated metadata, Parquet.
        label: Its column of the classes. Where it is no rank, there is none above it.
        classes: The names of the classes.

    Returns:
        Of the coarser columns those that have a taxon for every class. Where the rows of a class differ, the most
        frequent taxon counts.
    """
    above = RANKS[: RANKS.index(label)] if label in RANKS else ()
    own = Rank(label, list(classes), np.arange(len(classes)))
    if not above:
        return [own]
    table = read_parquet(metadata, columns=[label, *above]).to_pandas()
    rows = table[table[label].isin(classes)].astype(str)
    ranks = [_rank_of(rows, label, name, classes) for name in above]
    return [*(rank for rank in ranks if rank is not None), own]


def _rank_of(rows: pd.DataFrame, label: str, name: str, classes: Sequence[str]) -> Rank | None:
    """The rank of this name, None where it has no taxon for one of the classes."""
    named = rows[~rows[name].isin(["", NOT_CLASSIFIED])]
    counts = named.groupby([label, name]).size().rename("rows").reset_index()
    most = counts.sort_values(["rows", name], ascending=[False, True]).drop_duplicates(label).set_index(label)[name]
    if len(counts) > len(most):
        doubtful = counts[counts[label].duplicated(keep=False)][label].unique()
        logger.warning("of more than one %s, the most frequent counts: %s", name, ", ".join(doubtful))
    if missing := [one for one in classes if one not in most]:
        logger.info("no rank %s: %d classes have none, as %s", name, len(missing), missing[0])
        return None
    taxa = sorted(set(most[list(classes)]))
    return Rank(name, taxa, np.array([taxa.index(most[one]) for one in classes]))


@dataclass(frozen=True)
class SafePredictions:
    """For each image the deepest rank that is safe, the taxon there and its probability; None where no rank is."""

    rank: list[str | None]
    taxon: list[str | None]
    probability: list[float | None]


def deepest_safe(chances: np.ndarray, ranks: Sequence[Rank], level: float) -> SafePredictions:
    """The finest rank of each image at which the most probable taxon has at least the probability `level`.

    `chances` are the probabilities (images, classes) of the classes; the ranks come with the coarsest first.
    """
    found = np.full((3, len(chances)), None, dtype=object)
    for rank in ranks:
        rolled = rank.roll_up(chances)
        safe = rolled.max(axis=1) >= level
        taxa = np.array(rank.taxa, dtype=object)[rolled.argmax(axis=1)]
        found[0, safe], found[1, safe], found[2, safe] = rank.name, taxa[safe], rolled.max(axis=1)[safe]
    return SafePredictions(*found.tolist())
