"""The column `correct` of a table of predictions, filled in by the user, becomes labels.

A correction is a taxon of any rank that the metadata of the run has, or a class of one of its experiments. With it come
the taxa above it, from the rows that have it. What a name means is never guessed: one that no row has, or that is a
taxon of two ranks or of two families, is refused with its row.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.user_tables import Dialect, read_user_table, refuse_faults
from bioscan1m.metadata.relabelling import Relabelling, relabel
from bioscan1m.metadata.table import NOT_CLASSIFIED, RANKS, read_header, stream_tsv

logger = logging.getLogger(__name__)

CORRECT = "correct"
NEEDED = ("image_file", "taxon", "rank", CORRECT)
AGREED = ("ok", "yes")  # the predicted taxon is right
UNUSABLE = "unusable"  # the verdict of a photograph that cannot be read
NO_NAMES = ("", NOT_CLASSIFIED)
SUGGESTED = 3  # names that resemble one that is not known


@dataclass(frozen=True)
class Lineages:
    """The taxa and classes of a run's metadata: `rows` are the different combinations of its `columns`."""

    columns: tuple[str, ...]
    rows: list[dict[str, str]]

    def find(self, name: str, column: str | None = None) -> dict[str, str]:
        """The labels of an image of this taxon or class: its own column and, of a rank, those above it.

        `column` is None where it is not stated. Raises InputError with the reason where the name is not known, or is
        not enough to tell.
        """
        columns = [column] if column else self.columns_with(name)
        rows = self._rows_by_name.get(name, {}).get(columns[0], []) if columns else []
        if len(columns) > 1 and name not in NO_NAMES:
            forms = " or ".join(f"'{one}: {name}'" for one in columns)
            raise InputError(f"'{name}' is in the columns {' and '.join(columns)}; write {forms}")
        if not rows or name in NO_NAMES:
            raise InputError(f"'{name}' is no {column or 'taxon'} of the run's metadata{self._resembling(name)}")
        own = columns[0]
        above = [rank for rank in RANKS[: RANKS.index(own)] if rank in self.columns] if own in RANKS else []
        return {rank: _only_taxon(name, rank, rows) for rank in above} | {own: name}

    def columns_with(self, name: str) -> list[str]:
        """The columns in which a name stands."""
        return list(self._rows_by_name.get(name, {}))

    @cached_property
    def _rows_by_name(self) -> dict[str, dict[str, list[dict[str, str]]]]:
        """The rows by the names in them, and there by the column in which the name stands."""
        found: dict[str, dict[str, list[dict[str, str]]]] = {}
        for row in self.rows:
            for column in self.columns:
                found.setdefault(row[column], {}).setdefault(column, []).append(row)
        return found

    def _resembling(self, name: str) -> str:
        names = {one.casefold(): one for one in self._rows_by_name if one not in NO_NAMES}
        near = difflib.get_close_matches(name.casefold(), names, SUGGESTED)
        return f"; it resembles {', '.join(names[one] for one in near)}" if near else ""


def read_lineages(metadata: Path, labels: Sequence[str], relabelling: Relabelling) -> Lineages:
    """Read the ranks and the columns of labels of a metadata table, as tab-separated UTF-8, with the config's names.

    Raises InputError where it is no such table or lacks a column of labels.
    """
    header = read_header(metadata)
    columns = [column for column in header if column in (*RANKS, *labels)]
    if missing := [label for label in labels if label not in header]:
        raise InputError(f"{metadata}: no column {', '.join(missing)}, which an experiment of the config names")
    pieces = [piece.group_by(columns).aggregate([]) for piece in stream_tsv(metadata, columns)]
    if not pieces:
        raise InputError(f"{metadata}: has no row, so that no name of a taxon is known")
    table = relabel(pa.concat_tables(pieces), relabelling.names_in(columns, labels))
    return Lineages(tuple(columns), table.group_by(columns).aggregate([]).to_pylist())


def read_corrections(path: Path, lineages: Lineages, dialect: Dialect) -> dict[str, dict[str, str]]:
    """Read the labels that a user has filled in.

    Args:
        path: the table of predictions with the column `correct`, CSV in any dialect, or .xlsx.
        lineages: what names there are.
        dialect: how the table is written, as far as it is stated.

    Returns:
        The labels by image_file. A row whose `correct` is empty has none, whatever was predicted.

    Raises:
        InputError: the table lacks a column, has no correction, or has one that cannot be used; all of these are named.
    """
    table = read_user_table(path, dialect)
    if missing := [column for column in NEEDED if column not in table.columns]:
        raise InputError(
            f"{path}: no column {', '.join(missing)}; name a table of predictions with `{CORRECT}` filled in"
        )
    filled = [(number, cells) for number, cells in table.rows if cells[CORRECT]]
    if not filled:
        raise InputError(f"{path}: no row has a value in `{CORRECT}`; fill in the right taxon, or ok")
    refuse_faults(path, list(_faults(filled, lineages)))
    logger.info("%s: %d of %d rows have a correction; the others give no labels", path, len(filled), len(table.rows))
    return {cells["image_file"]: _labels(cells, lineages) for _, cells in filled}


def _faults(rows: list[tuple[int, dict[str, str]]], lineages: Lineages) -> Iterator[str]:
    """Why rows with a correction cannot be used, each with its number."""
    first: dict[str, int] = {}
    for number, cells in rows:
        if (earlier := first.setdefault(cells["image_file"], number)) != number:
            yield f"row {number}: {cells['image_file']} is in row {earlier} already"
        try:
            _labels(cells, lineages)
        except InputError as error:
            yield f"row {number}: {error}"


def _labels(cells: dict[str, str], lineages: Lineages) -> dict[str, str]:
    """The labels that a row with a correction gives. Raises InputError with the reason where it gives none."""
    text = cells[CORRECT]
    if cells.get("verdict") == UNUSABLE:
        raise InputError(f"{cells['image_file']} cannot be used as a photograph; leave `{CORRECT}` empty")
    if text.casefold() in AGREED and not lineages.columns_with(text):
        if not cells["taxon"]:
            raise InputError(f"'{text}', but no taxon was predicted; write the right one")
        column = cells["rank"] if cells["rank"] in lineages.columns else None
        return lineages.find(cells["taxon"], column)
    column, _, name = (part.strip() for part in text.partition(":"))
    return lineages.find(name, column) if name and column in lineages.columns else lineages.find(text)


def _only_taxon(name: str, rank: str, rows: list[dict[str, str]]) -> str:
    """The taxon of a rank that all rows have, `not_classified` where none has any."""
    taxa = sorted({row[rank] for row in rows} - {*NO_NAMES})
    if len(taxa) > 1:
        raise InputError(f"the rows of '{name}' are of more than one {rank}: {', '.join(taxa)}; correct the metadata")
    return taxa[0] if taxa else NOT_CLASSIFIED
