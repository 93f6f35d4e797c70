"""Is the source metadata fit for use? Faults that would spoil results stop the job, doubtful rows are counted.

Only image_file, chunk_number and the columns that experiments use must be there, so that a table of one's own images
passes; the other published columns are then filled in as unknown. All other columns pass through.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import reduce
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
    read_tsv,
    rows_where,
    texts_of,
    write_strings,
)
from bioscan1m.tables import write_table

logger = logging.getLogger(__name__)

BIN_FORM = r"^BOLD:[A-Z]{3}[0-9]{4}$"
NUCLEOTIDES = "ACGTRYSWKMBDHVN-"  # IUPAC's codes, and the gap of an alignment
NAMED = 5  # values or rows that a message names before it counts the others
PARENT_RANKS = (("family", "order"), ("genus", "family"), ("species", "genus"))


class Doubt(NamedTuple):
    """One check: how many rows do not pass it, and the first of them."""

    check: str
    rows: int
    example: str


def validate_metadata(
    source: str | Path,
    chunks: list[str] | None,
    labels: list[str],
    experiments: list[str],
    validated: str | Path,
    warnings: str | Path,
) -> dict[str, int]:
    """Write what the splits need of the source TSV as Parquet, and the table of warnings; return the count of rows.

    `chunks` are the chunks of the manifest, None where any is allowed; `labels` are the columns that experiments use,
    `experiments` their names, which the source may have as columns of published roles. Raises InputError where a needed
    column is absent, an image_file is empty, repeated or a path, or no chunk_number is in the manifest.
    """
    table = read_tsv(source)
    _refuse_missing_columns(source, table, labels)
    _refuse_bad_image_files(source, table)
    if chunks is not None:
        _refuse_other_chunks(source, table, chunks)
    doubts = list(_doubts(table, chunks, labels))
    for doubt in doubts:
        if doubt.rows:
            logger.warning("%s: %d rows (%s)", doubt.check, doubt.rows, doubt.example)
    used = ["image_file", "chunk_number", *labels, *(name for name in experiments if name in table.column_names)]
    write_strings(validated, complete(table.select(list(dict.fromkeys(used))), labels, labels))
    write_table(warnings, pd.DataFrame(doubts))
    return {"in": table.num_rows, "out": table.num_rows}


def _refuse_missing_columns(source: str | Path, table: pa.Table, labels: list[str]) -> None:
    missing = [
        name for name in dict.fromkeys(["image_file", "chunk_number", *labels]) if name not in table.column_names
    ]
    if missing:
        raise InputError(
            f"{source}: no column {', '.join(missing)}; there are: {', '.join(table.column_names)}. Needed, with "
            f"tabs between them, are image_file, chunk_number and what splits.experiments names ({', '.join(labels)})."
        )
    if not table.num_rows:
        raise InputError(f"{source}: the table has a header and no rows")


def _refuse_bad_image_files(source: str | Path, table: pa.Table) -> None:
    image_files = table["image_file"]
    if len(rows := rows_where(is_blank(image_files))):
        raise InputError(f"{source}: image_file is empty in {_listed('row', rows)}. Name the image or remove the row.")
    if len(rows := rows_where(pc.match_substring_regex(image_files, r"[/\\]"))):
        raise InputError(f"{source}: image_file is a path in {_listed('row', rows)}; give the file name alone")
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


def _doubts(table: pa.Table, chunks: list[str] | None, labels: list[str]) -> Iterator[Doubt]:
    """Every check for which the table has the columns, passed or not."""
    if chunks is not None:
        other = _is_of_other_chunk(table, chunks)
        yield _doubt("chunk_number is not in the manifest, so the image is missing", table, ["chunk_number"], other)
    for label in labels:
        yield _doubt(f"{label} is blank, read as {NOT_CLASSIFIED}", table, [label], is_blank(table[label]))
    if others := [name for name in TAXA if name in table.column_names and name not in labels]:
        blank = reduce(pc.or_, (is_blank(table[name]) for name in others))
        yield _doubt(f"another taxon is blank, read as {NOT_CLASSIFIED}", table, others, blank)
    if "uri" in table.column_names:
        named = pc.invert(pc.or_(is_blank(table["uri"]), pc.equal(table["uri"], NOT_CLASSIFIED)))
        other_form = pc.invert(pc.match_substring_regex(table["uri"], BIN_FORM))
        yield _doubt("uri is no BIN of the form BOLD:AAA1234", table, ["uri"], pc.and_(named, other_form))
    if "nucraw" in table.column_names:
        others = _has_other_letters(table["nucraw"], NUCLEOTIDES)
        yield _doubt("nucraw has letters that stand for no nucleotide", table, ["nucraw"], others)
    if "sampleid" in table.column_names:
        yield _doubt("sampleid is there more than once", table, ["sampleid"], _is_repeated(table["sampleid"]))
    for rank, parent in PARENT_RANKS:
        if {rank, parent} <= set(table.column_names):
            yield _doubt(f"{rank} lies in more than one {parent}", table, [rank, parent], _is_torn(table, rank, parent))


def _doubt(check: str, table: pa.Table, columns: list[str], mask: pa.ChunkedArray | pa.Array) -> Doubt:
    rows = rows_where(mask)
    if not len(rows):
        return Doubt(check, 0, "")
    values = (f"{name} = {table[name][int(rows[0]) - 2].as_py()[:40]!r}" for name in columns)
    return Doubt(check, len(rows), f"row {rows[0]}: {', '.join(values)}")


def _repeated_values(column: pa.ChunkedArray) -> pa.Array:
    """The values that are there more than once. Most columns of names have none, which is faster to see."""
    if pc.count_distinct(column, mode="all").as_py() == len(column):
        return pa.array([], column.type)
    counts = column.value_counts()
    return counts.field("values").filter(pc.greater(counts.field("counts"), 1))


def _is_repeated(column: pa.ChunkedArray) -> pa.Array:
    return pc.and_(pc.is_in(column, _repeated_values(column)), pc.invert(is_blank(column)))


def _has_other_letters(column: pa.ChunkedArray, letters: str) -> pa.ChunkedArray | pa.Array:
    """Values with letters beyond these. Mostly there are none, which is seen without a look at each value."""
    if not any(text.translate(None, letters.encode()) for text in texts_of(column)):
        return pa.repeat(pa.scalar(False), len(column))
    return pc.match_substring_regex(column, f"[^{letters}]")


def _is_torn(table: pa.Table, rank: str, parent: str) -> pa.Array:
    """Rows whose taxon of one rank has other rows with another taxon of the rank above."""
    ranks = pd.DataFrame({name: table[name].to_pandas() for name in (rank, parent)})
    known = ranks[~ranks.isin(["", NOT_CLASSIFIED]).any(axis=1)]
    pairs = known.drop_duplicates()
    torn = pairs[rank][pairs[rank].duplicated()]
    mask = np.zeros(table.num_rows, bool)
    mask[known.index[known[rank].isin(torn)]] = True
    return pa.array(mask)


def _with_rows(column: pa.ChunkedArray, values: list[str]) -> str:
    """The first of the values, each with the rows that have it, and how many more values there are."""
    named = [f"{value!r} in {_listed('row', rows_where(pc.equal(column, value)))}" for value in values[:NAMED]]
    return "; ".join([*named, *([f"and {len(values) - NAMED} more"] if len(values) > NAMED else [])])


def _listed(what: str, values: list | np.ndarray) -> str:
    """`row 3`, or `rows 3, 5, 9` and how many more there are."""
    more = f" and {len(values) - NAMED} more" if len(values) > NAMED else ""
    return f"{what}{'s' if len(values) > 1 else ''} {', '.join(map(str, values[:NAMED]))}{more}"
