"""The classes of the synthetic dataset: the BINs of bins.tsv, and how many specimens each has.

One row of the table is one BIN, the unit that carries a name: all its specimens share one taxonomy and one look.
The names are real, the specimens are not. `form` names what the specimens of the BIN are drawn as: an order, or a
family of Diptera. It is known even where the family is not, as it is in a real sample that nobody has named yet.
`weight` gives the long tail: the shares follow the ranking of the real orders and families (table 2 of the paper),
with a tail that is thick enough to learn from.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

NOT_CLASSIFIED = "not_classified"
RANKS = ("order", "family", "subfamily", "tribe", "genus", "species", "subspecies")
LEAST_PER_FORM = 5  # specimens of the rarest form in a chunk that is large enough


@dataclass(frozen=True)
class Taxon:
    """One BIN: its uri, the form its specimens are drawn as, its weight, and a name or not_classified for each rank."""

    uri: str
    form: str
    weight: int
    order: str
    family: str
    subfamily: str
    tribe: str
    genus: str
    species: str
    subspecies: str

    @property
    def name(self) -> str:
        """The finest name that was assigned."""
        return [name for name in (getattr(self, rank) for rank in RANKS) if name != NOT_CLASSIFIED][-1]


@cache
def taxa() -> tuple[Taxon, ...]:
    """All BINs, in the order of the table."""
    with open(Path(__file__).with_suffix("") / "bins.tsv", newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    named = [{column: value or NOT_CLASSIFIED for column, value in row.items()} for row in rows]
    return tuple(Taxon(weight=int(row.pop("weight")), **row) for row in named)


@cache
def forms() -> tuple[str, ...]:
    """The names of all forms, in the order of the table."""
    return tuple(dict.fromkeys(taxon.form for taxon in taxa()))


def apportion(total: int, weights: np.ndarray) -> np.ndarray:
    """`total` shared in proportion to the weights, as integers of that sum (largest remainders, ties to the first)."""
    exact = total * weights / weights.sum()
    shares = np.floor(exact).astype(int)
    largest_remainders = np.argsort(shares - exact, kind="stable")
    shares[largest_remainders[: total - shares.sum()]] += 1
    return shares


def plan_specimens(total: int) -> list[Taxon]:
    """The taxa of the `total` specimens of one chunk, in the order of the table.

    Each form first gets a few specimens (at most LEAST_PER_FORM, and never more than half of the chunk together), so
    that even the rarest order reaches training, validation and test. The weights share out the rest.
    """
    reserve = min(LEAST_PER_FORM, total // (2 * len(forms())))
    weights = np.array([taxon.weight for taxon in taxa()], dtype=float)
    counts = apportion(total - reserve * len(forms()), weights)
    for form in forms():
        members = [index for index, taxon in enumerate(taxa()) if taxon.form == form]
        counts[members] += apportion(reserve, weights[members])
    return [taxon for taxon, count in zip(taxa(), counts, strict=True) for _ in range(count)]
