"""Labels that are read as others: what stands for no label, and the names that the config maps (key `labels`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bioscan1m.metadata.table import NOT_CLASSIFIED, RANKS

# What stands for a missing taxon in tables that R wrote; in a column that is no rank it is a name like any other.
MISSING_TAXA = ("NA",)
FEW_WORDS = 5

Names = Mapping[str, str]  # name in the source -> name that it is read as


@dataclass(frozen=True)
class Relabelling:
    """What the config states of labels.

    `missing` are the values that stand for none in the columns of ranks and labels; None is MISSING_TAXA in those of
    ranks alone. `map` has the names of a column that are read as others.
    """

    missing: Sequence[str] | None = None
    map: Mapping[str, Names] = field(default_factory=dict)

    @classmethod
    def from_config(cls, section: Mapping[str, Any] | None) -> Relabelling:
        """That of the config's section `labels`, or the default where there is none."""
        return cls(**section or {})

    def missing_in(self, column: str, labels: Collection[str]) -> Sequence[str]:
        """The values of a column that stand for no label; `labels` are the columns that experiments use."""
        if self.missing is None:
            return MISSING_TAXA if column in RANKS else ()
        return self.missing if column in RANKS or column in labels else ()

    def names_in(self, columns: Collection[str], labels: Collection[str]) -> dict[str, Names]:
        """The names that are read as others, by those of the columns that may have any."""
        names = {
            column: {**dict.fromkeys(self.missing_in(column, labels), NOT_CLASSIFIED), **self.map.get(column, {})}
            for column in columns
        }
        return {column: of_column for column, of_column in names.items() if of_column}


NOTHING_STATED = Relabelling()


def is_one_of(column: pa.ChunkedArray, words: Collection[str]) -> pa.ChunkedArray:
    """Where a column has one of these words; a few are looked for one by one, seven times as fast as all at once."""
    if 0 < len(words) <= FEW_WORDS:
        return reduce(pc.or_, (pc.equal(column, word) for word in words))
    return pc.is_in(column, pa.array(words, pa.string()))


def relabel(table: pa.Table, names: Mapping[str, Names]) -> pa.Table:
    """The table with the names of its columns read as others; all names of a column at the same time."""
    for column, of_column in names.items():
        if pc.any(is_one_of(table[column], of_column)).as_py():
            places = pc.index_in(table[column], pa.array(of_column, pa.string()))
            others = pc.take(pa.array(of_column.values(), pa.string()), places)
            table = table.set_column(table.column_names.index(column), column, pc.coalesce(others, table[column]))
    return table
