"""Is the source metadata fit for use? Faults that would spoil results stop the job, doubtful rows are counted.

Only image_file, chunk_number and the columns that experiments use must be there, so that a table of one's own images
passes; the other published columns are then filled in as unknown. All other columns pass through.

A repeated image_file is refused, for the image is the key of every table. A repeated sampleid is doubted: a specimen
may be photographed more than once, and the leakage table counts those that lie in both train and test.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial, reduce
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bioscan1m.errors import InputError
from bioscan1m.metadata.metadata import (
    NOT_CLASSIFIED,
    TAXA,
    complete,
    is_blank,
    map_tsv,
    read_header,
    rows_where,
    write_strings,
)
from bioscan1m.metadata.name_hashes import LONGEST_NAME, all_differ
from bioscan1m.streams import map_in_order
from bioscan1m.tables import write_table

logger = logging.getLogger(__name__)

BIN_FORM = r"^BOLD:[A-Z]{3}[0-9]{4}$"
NUCLEOTIDES = "ACGTRYSWKMBDHVN-"  # IUPAC's codes, and the gap of an alignment
NAMED = 5  # values or rows that a message names before it counts the others
PARENT_RANKS = (("family", "order"), ("genus", "family"), ("species", "genus"))


class Check(NamedTuple):
    """What makes a row doubtful: the columns that this takes, and where in a table of them it is so."""

    name: str
    columns: list[str]
    is_doubtful: Callable[[pa.Table], pa.ChunkedArray]


class Doubt(NamedTuple):
    """What came of a check: how many rows do not pass it, the number of the first of them, and what it has there."""

    check: str
    rows: int
    first_row: int = 0
    values: str = ""

    @property
    def example(self) -> str:
        """The first row, for a message."""
        return f"row {self.first_row}: {self.values}" if self.rows else ""


def validate_metadata(
    source: str | Path,
    chunks: list[str] | None,
    labels: list[str],
    experiments: list[str],
    validated: str | Path,
    warnings: str | Path,
    threads: int,
) -> dict[str, int]:
    """Write what the splits need of the source TSV as Parquet, and the table of warnings; return the count of rows.

    `chunks` are the chunks of the manifest, None where any is allowed; `labels` are the columns that experiments use,
    `experiments` their names, which the source may have as columns of published roles. Raises InputError where a needed
    column is absent, an image_file is empty, repeated, a path or too long, or no chunk_number is in the manifest.
    """
    columns = read_header(source)
    _refuse_missing_columns(source, columns, labels)
    used = [name for name in dict.fromkeys(["image_file", "chunk_number", *labels, *experiments]) if name in columns]
    of_table = [check for check in CHECKS_OF_TABLE if set(check.columns) <= set(columns)]
    kept = list(dict.fromkeys([*used, *(name for check in of_table for name in check.columns)]))
    table, doubts = _check_rows(source, _checks_of_rows(columns, chunks, labels), kept, threads)
    if chunks is not None:
        _refuse_other_chunks(source, table, chunks)
    looks = [partial(_refuse_bad_image_files, source, table), *(partial(_doubt, check, table) for check in of_table)]
    _, *doubts_of_table = map_in_order(lambda look: look(), looks, threads)
    doubts += doubts_of_table
    for doubt in doubts:
        if doubt.rows:
            logger.warning("%s: %d rows (%s)", doubt.check, doubt.rows, doubt.example)
    write_strings(validated, complete(table.select(used), labels, labels))
    write_table(
        warnings, pd.DataFrame({"check": doubt.check, "rows": doubt.rows, "example": doubt.example} for doubt in doubts)
    )
    return {"in": len(table), "out": len(table)}


def _refuse_missing_columns(source: str | Path, columns: list[str], labels: list[str]) -> None:
    missing = [name for name in dict.fromkeys(["image_file", "chunk_number", *labels]) if name not in columns]
    if missing:
        raise InputError(
            f"{source}: no column {', '.join(missing)}; there are: {', '.join(columns)}. Needed, with "
            f"tabs between them, are image_file, chunk_number and what splits.experiments names ({', '.join(labels)})."
        )


def _check_rows(source: str | Path, checks: list[Check], kept: list[str], threads: int) -> tuple[pa.Table, list[Doubt]]:
    """The columns of the source that are to be kept, and what came of the checks: the rows pass through in pieces."""

    def look(piece: pa.Table) -> tuple[pa.Table, list[Doubt]]:
        return piece.select(kept), [_doubt(check, piece) for check in checks]

    looked = list(map_tsv(look, source, threads=threads))
    if not any(len(piece) for piece, _ in looked):
        raise InputError(f"{source}: the table has a header and no rows")
    pieces, of_pieces = zip(*looked, strict=True)
    rows_before = list(accumulate(map(len, pieces), initial=0))[:-1]
    return pa.concat_tables(pieces), [_sum(of_check, rows_before) for of_check in zip(*of_pieces, strict=True)]


def _refuse_bad_image_files(source: str | Path, table: pa.Table) -> None:
    image_files = table["image_file"]
    if len(rows := rows_where(is_blank(image_files))):
        raise InputError(f"{source}: image_file is empty in {_listed('row', rows)}. Name the image or remove the row.")
    if len(rows := rows_where(pc.match_substring_regex(image_files, r"[/\\]"))):
        raise InputError(f"{source}: image_file is a path in {_listed('row', rows)}; give the file name alone")
    if len(rows := rows_where(pc.greater(pc.binary_length(image_files), LONGEST_NAME))):
        raise InputError(
            f"{source}: image_file is longer than a file name can be, {LONGEST_NAME} bytes, in {_listed('row', rows)}"
        )
    if len(repeated := _repeated_values(image_files)):
        raise InputError(
            f"{source}: image_file is not unique: {_with_rows(image_files, repeated.to_pylist())}. "
            "Each image has one row: remove the others, or rename the images."
        )


def _refuse_other_chunks(source: str | Path, table: pa.Table, chunks: list[str]) -> None:
    """A part of the chunks is a run too, so rows of others are only doubted; but some must be of these."""
    if pc.all(_is_of_other_chunk(table, chunks)).as_py():
        found = pc.unique(table["chunk_number"]).to_pylist()
        raise InputError(
            f"{source}: no row has the chunk_number of a chunk in the manifest. The rows have "
            f"{_listed('chunk', found)}, the manifest {_listed('chunk', chunks)}. Correct one of the two."
        )


def _is_of_other_chunk(table: pa.Table, chunks: list[str]) -> pa.ChunkedArray:
    return pc.invert(pc.is_in(table["chunk_number"], pa.array(chunks, pa.string())))


def _checks_of_rows(columns: list[str], chunks: list[str] | None, labels: list[str]) -> list[Check]:
    """Every check that looks at one row at a time, for which there are the columns."""
    others = [name for name in TAXA if name in columns and name not in labels]
    checks = [
        *(Check(f"{label} is blank, read as {NOT_CLASSIFIED}", [label], _has_blank) for label in labels),
        *([Check(f"another taxon is blank, read as {NOT_CLASSIFIED}", others, _has_blank)] if others else []),
        Check("uri is no BIN of the form BOLD:AAA1234", ["uri"], _is_no_bin),
        Check("nucraw has letters that stand for no nucleotide", ["nucraw"], _has_other_letters),
    ]
    if chunks is not None:
        missing = "chunk_number is not in the manifest, so the image is missing"
        checks.insert(0, Check(missing, ["chunk_number"], lambda table: _is_of_other_chunk(table, chunks)))
    return [check for check in checks if set(check.columns) <= set(columns)]


def _doubt(check: Check, table: pa.Table) -> Doubt:
    """What comes of a check in a table."""
    looked_at = table.select(check.columns)
    rows = rows_where(check.is_doubtful(looked_at))
    if not len(rows):
        return Doubt(check.name, 0)
    first = looked_at.slice(int(rows[0]) - 2, 1).to_pylist()[0]
    values = ", ".join(f"{name} = {value[:40]!r}" for name, value in first.items())
    return Doubt(check.name, len(rows), int(rows[0]), values)


def _sum(doubts: Sequence[Doubt], rows_before: list[int]) -> Doubt:
    """Those of one check in all pieces, of which each has so many rows before it."""
    rows = sum(doubt.rows for doubt in doubts)
    firsts = ((before, doubt) for before, doubt in zip(rows_before, doubts, strict=True) if doubt.rows)
    before, first = next(firsts, (0, doubts[0]))
    return first._replace(rows=rows, first_row=before + first.first_row)


def _has_blank(table: pa.Table) -> pa.ChunkedArray:
    return reduce(pc.or_, map(is_blank, table.columns))


def _is_no_bin(table: pa.Table) -> pa.ChunkedArray:
    named = pc.invert(pc.or_(is_blank(table["uri"]), pc.equal(table["uri"], NOT_CLASSIFIED)))
    return pc.and_(named, pc.invert(pc.match_substring_regex(table["uri"], BIN_FORM)))


def _has_other_letters(table: pa.Table) -> pa.ChunkedArray:
    return pc.not_equal(pc.ascii_ltrim(table["nucraw"], characters=NUCLEOTIDES), "")


def _is_repeated(table: pa.Table) -> pa.ChunkedArray:
    (column,) = table.columns
    return pc.and_(pc.is_in(column, _repeated_values(column)), pc.invert(is_blank(column)))


def _is_torn(table: pa.Table) -> pa.ChunkedArray:
    """Rows whose taxon, in the first column, has other rows with another taxon of the rank above, in the second."""
    rank, parent = table.column_names
    known = reduce(pc.and_, (pc.invert(pc.is_in(column, pa.array(["", NOT_CLASSIFIED]))) for column in table.columns))
    pairs = table.filter(known).group_by([rank, parent]).aggregate([])
    return pc.and_(known, pc.is_in(table[rank], _repeated_values(pairs[rank])))


CHECKS_OF_TABLE = (
    Check("sampleid is there more than once", ["sampleid"], _is_repeated),
    *(Check(f"{rank} lies in more than one {parent}", [rank, parent], _is_torn) for rank, parent in PARENT_RANKS),
)


def _repeated_values(column: pa.ChunkedArray) -> pa.Array:
    """The values that are there more than once; most often none, which is told without counting them."""
    if all_differ(column):
        return pa.array([], pa.string())
    counts = column.value_counts()
    return counts.field("values").filter(pc.greater(counts.field("counts"), 1))


def _with_rows(column: pa.ChunkedArray, values: list[str]) -> str:
    """The first of the values, each with the rows that have it, and how many more values there are."""
    named = [f"{value!r} in {_listed('row', rows_where(pc.equal(column, value)))}" for value in values[:NAMED]]
    return "; ".join([*named, *([f"and {len(values) - NAMED} more"] if len(values) > NAMED else [])])


def _listed(what: str, values: list | np.ndarray) -> str:
    """`row 3`, or `rows 3, 5, 9` and how many more there are."""
    more = f" and {len(values) - NAMED} more" if len(values) > NAMED else ""
    return f"{what}{'s' if len(values) > 1 else ''} {', '.join(map(str, values[:NAMED]))}{more}"
