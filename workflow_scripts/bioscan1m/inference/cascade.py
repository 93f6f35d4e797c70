"""From classifiers of several ranks to one name: the deepest taxon that all classes of a photograph's set share.

The classifier of the coarsest rank looks at every photograph. Another one, such as that of the families of Diptera,
looks only where the set is one taxon so far, and that is one that it knows classes of. The ranks come from the
taxonomy in the metadata, so that the chain may have any depth.

Each classifier's sets miss the true class in at most a share of the images, so the set at the end of a chain of n
classifiers misses it in at most n times that (the union bound). `level_of_each` divides what may be missed among them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bioscan1m.inference.conformal import Thresholds
from bioscan1m.metadata.table import RANKS
from bioscan1m.metadata.taxonomy import Rank

logger = logging.getLogger(__name__)

COARSEST = "order"  # a set of several orders is named insect
INSECT, RANK_OF_INSECT = "insect", "class"


@dataclass(frozen=True)
class Stage:
    """What a classifier knows of the taxonomy: the ranks of its classes, the coarsest first, the classes last."""

    experiment: str
    ranks: list[Rank]

    @property
    def rank(self) -> Rank:
        """That of its classes."""
        return self.ranks[-1]

    def classes_asked(self, before: Identification | None) -> np.ndarray | None:
        """Which of its classes a photograph may show after what coarser classifiers found, bool (classes,).

        All for the first classifier (None before); None where it is not asked: the set so far is not one taxon of which
        it knows classes.
        """
        if before is None:
            return np.full(len(self.rank.taxa), True)
        return self.classes_within(before.member_rank, before.members[0]) if len(before.members) == 1 else None

    def classes_within(self, rank: str, taxon: str) -> np.ndarray | None:
        """Which of its classes are in a taxon of a coarser rank, bool (classes,); None where it knows none."""
        for one in self.ranks[:-1]:
            if one.name == rank and taxon in one.taxa:
                return one.of_class == one.taxa.index(taxon)
        return None


@dataclass(frozen=True)
class Identification:
    """What is known of a photograph: the prediction set, classes of one rank, and the taxon that has all of them."""

    members: list[str]  # the most probable first
    member_rank: str
    taxon: str
    rank: str
    probability: float | None  # of the taxon; None for an insect of any order


def chain_of(stages: Sequence[Stage]) -> list[Stage]:
    """The classifiers that are used, the coarsest rank first; the log names those that are not, with the reason.

    Of several for the same taxa the first is used: after it the set has taxa of its rank. One that shares no taxon with
    a coarser one cannot be asked: for which photographs is unknown.
    """
    first, *others = sorted(stages, key=lambda stage: _depth(stage.rank.name))
    chain, reached = [first], {(first.rank.name, taxon) for taxon in first.rank.taxa}
    answered: set[tuple[str, str]] = set()
    for stage in others:
        asked = {known for known in reached if stage.classes_within(*known) is not None}
        if asked <= answered:
            why = (
                "another one is used for the same taxa (a rank at which a class of it has no taxon does not count)"
                if asked
                else "no coarser classifier has a taxon of its classes"
            )
            logger.warning("%s is not used: %s", stage.experiment, why)
            continue
        chain.append(stage)
        answered |= asked
        reached |= {(stage.rank.name, taxon) for taxon in stage.rank.taxa}
    return chain


def level_of_each(level: float, chain: Sequence[Stage]) -> float:
    """The level of the sets of each classifier with which those at the end of the chain have the level `level`."""
    return 1 - (1 - level) / len({stage.rank.name for stage in chain})


def name_set(
    stage: Stage, chances: np.ndarray, thresholds: Thresholds, before: Identification | None = None
) -> Identification:
    """Name one photograph by a classifier that is asked (`Stage.classes_asked`).

    Args:
        stage: the classifier.
        chances: its calibrated probabilities (classes,).
        thresholds: of its sets.
        before: what the coarser classifiers have found; None for the first of them.

    Returns:
        The set with its name. The most probable class that may be asked for is always in the set.
    """
    own = stage.classes_asked(before)
    assert own is not None
    within = np.where(own, chances, 0)
    members = own & (1 - chances <= thresholds.worst_fit)
    members[np.where(own, chances, -1).argmax()] = True
    rank, taxon, classes = _common_taxon(stage, members, own, before)
    total = within.sum()
    share = min(1.0, float(within[classes].sum() / total)) if total > 0 else 1.0
    order = np.lexsort((-within, ~members))[: members.sum()]
    return Identification(
        members=[stage.rank.taxa[place] for place in order],
        member_rank=stage.rank.name,
        taxon=taxon,
        rank=rank,
        probability=_probability(rank, share, before),
    )


def _common_taxon(
    stage: Stage, members: np.ndarray, own: np.ndarray, before: Identification | None
) -> tuple[str, str, np.ndarray]:
    """Rank and name of the deepest taxon that has all members, and which classes are in it, bool (classes,)."""
    for rank in reversed(stage.ranks):
        taxa = np.unique(rank.of_class[members])
        if len(taxa) == 1 and (rank is stage.rank or _depth(rank.name) >= _depth(COARSEST)):
            return rank.name, rank.taxa[taxa[0]], own & (rank.of_class == taxa[0])
    if before is not None:
        return before.rank, before.taxon, own
    return RANK_OF_INSECT, INSECT, own


def _probability(rank: str, share: float, before: Identification | None) -> float | None:
    """That of a taxon which has such a share of what the coarser classifiers gave to the taxon before."""
    if before is None:
        return None if rank == RANK_OF_INSECT else share
    return None if before.probability is None else share * before.probability


def _depth(rank: str) -> int:
    """The place of a rank, the coarsest first; labels that are no rank come last."""
    return RANKS.index(rank) if rank in RANKS else len(RANKS)
