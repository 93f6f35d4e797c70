"""Is the source metadata fit for use? Faults that would spoil results stop the job, doubtful rows are counted.

Only image_file, chunk_number and the columns that experiments use must be there, so that a table of one's own images
passes; the other published columns are then filled in as unknown. All other columns pass through.

A repeated image_file is refused, for the image is the key of every table. A repeated sampleid is doubted: a specimen
may be photographed more than once, and the leakage table counts those that lie in both train and test.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial, reduce
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.image_keys import LONGEST_KEY
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.foundation.tables import write_table
from bioscan1m.foundation.user_tables import refuse_faults
from bioscan1m.metadata.name_hashes import all_differ
from bioscan1m.metadata.relabelling import NOTHING_STATED, Names, Relabelling, is_one_of, relabel
from bioscan1m.metadata.source import MetadataSource, open_source
from bioscan1m.metadata.table import (
    NOT_CLASSIFIED,
    TAXA,
    complete,
    is_blank,
    rows_where,
    write_strings,
)

logger = logging.getLogger(__name__)

BIN_FORM = r"^BOLD:[A-Z]{3}[0-9]{4}$"
NUCLEOTIDES = "ACGTRYSWKMBDHVN-"  # IUPAC's codes, and the gap of an alignment
NAMED = 20  # values or rows that a message names before it counts the others
PARENT_RANKS = (("family", "order"), ("genus", "family"), ("species", "genus"))


class Check(NamedTuple):
    """A condition under which a row is doubtful; `is_doubtful` takes a table of `columns` and gives one mask of it."""

    name: str
    columns: list[str]
    is_doubtful: Callable[[pa.Table], pa.ChunkedArray]


class Doubt(NamedTuple):
    """The result of a check: the number of doubtful rows, the first of them (the header is row 1), and its values."""

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
    relabelling: Relabelling = NOTHING_STATED,
    group: str | None = None,
) -> dict[str, int]:
    """Check the source metadata and write what the splits need of it.

    Args:
        source: The metadata, a table in any dialect.
        chunks: The chunks of the manifest; None where any is allowed.
        labels: The columns that experiments use.
        experiments: The names of the experiments, which the source may have as columns of published roles.
        group: The column whose rows of one value get one role; None where there is none.
        validated: The Parquet file that gets the needed columns.
        warnings: The TSV file that gets the doubts, one row per check.
        threads: The number of pieces, and of checks, that are worked on at the same time.
        relabelling: What the config states of labels.

    Returns:
        The count of rows.

    Raises:
        InputError: A needed column is absent, an image_file is empty, repeated, a path or too long, or no chunk_number
            is in the manifest, or the config maps a name that no row has.
    """
    opened = open_source(source)
    columns = opened.columns
    grouped = [] if group is None else [group]
    _refuse_missing_columns(source, columns, [*labels, *grouped], relabelling)
    wanted = dict.fromkeys(["image_file", "chunk_number", *labels, *experiments, *grouped])
    written = [name for name in wanted if name in columns]
    checks_of_table = [check for check in CHECKS_OF_TABLE if set(check.columns) <= set(columns)]
    needed = dict.fromkeys([*written, *(name for check in checks_of_table for name in check.columns)])
    names = relabelling.names_in(columns, labels)
    checks = [*_checks_of_rows(columns, chunks, labels), *_checks_of_names(names, labels, relabelling)]
    table, doubts = _read_checked(opened, checks, names, [*needed, *relabelling.map], threads)
    faults = [] if chunks is None else _other_chunks(table, chunks)
    faults += _unknown_names(relabelling, table, doubts)
    faults_of_images, *doubts_of_table = _check_table(checks_of_table, table, threads)
    refuse_faults(source, [*faults, *faults_of_images])
    doubts += doubts_of_table
    for doubt in doubts:
        if doubt.rows:
            logger.warning("%s: %d rows (%s)", doubt.check, doubt.rows, doubt.example)
    write_strings(validated, complete(table.select(written), labels, labels))
    rows = ({"check": doubt.check, "rows": doubt.rows, "example": doubt.example} for doubt in doubts)
    write_table(warnings, pd.DataFrame(rows))
    return {"in": len(table), "out": len(table)}


def _refuse_missing_columns(
    source: str | Path, columns: list[str], labels: list[str], relabelling: Relabelling
) -> None:
    missing = [name for name in dict.fromkeys(["image_file", "chunk_number", *labels]) if name not in columns]
    if missing:
        raise InputError(
            f"{source}: no column {', '.join(missing)}; there are: {', '.join(columns)}. Needed are image_file, "
            f"chunk_number and what splits.experiments and splits.group name ({', '.join(labels)})."
        )
    if unknown := [name for name in relabelling.map if name not in columns]:
        raise InputError(f"{source}: no column {', '.join(unknown)}, which labels.map names; there are: {columns}")


def _read_checked(
    source: MetadataSource, checks: list[Check], names: Mapping[str, Names], columns: Iterable[str], threads: int
) -> tuple[pa.Table, list[Doubt]]:
    """These columns of the source with labels read as `names` has them, and the result of each check of rows.

    The rows are read and checked in pieces, before names are read as others.
    """
    wanted = list(dict.fromkeys(columns))
    read_as_others = {column: of_column for column, of_column in names.items() if column in wanted}

    def check_piece(piece: pa.Table) -> tuple[pa.Table, list[Doubt]]:
        return relabel(piece.select(wanted), read_as_others), [_doubt(check, piece) for check in checks]

    checked = list(source.map(check_piece, threads))
    if not any(len(piece) for piece, _ in checked):
        raise InputError(f"{source.path}: the table has a header, {', '.join(source.columns)}, and no rows")
    pieces, doubts_of_pieces = zip(*checked, strict=True)
    rows_before = list(accumulate(map(len, pieces), initial=0))[:-1]
    doubts = [_total(of_check, rows_before) for of_check in zip(*doubts_of_pieces, strict=True)]
    return pa.concat_tables(pieces), doubts


def _check_table(checks: list[Check], table: pa.Table, threads: int) -> tuple[list[str], *tuple[Doubt, ...]]:
    """The faults of the names of images, and the doubts that take all rows: all looked for at the same time."""
    steps: list[Callable[[], Any]] = [
        partial(_bad_image_files, table["image_file"]),
        *(partial(_doubt, check, table) for check in checks),
    ]
    return tuple(map_in_order(lambda step: step(), steps, threads))


def _bad_image_files(image_files: pa.ChunkedArray) -> list[str]:
    """What is wrong with names of images, by kind, with their rows."""
    blank = is_blank(image_files)
    kinds = {
        "is empty in {}: name the image or remove the row": blank,
        "is a path in {}; give the file name alone": pc.match_substring_regex(image_files, r"[/\\]"),
        f"is longer than a file name can be, {LONGEST_KEY} bytes, in {{}}": pc.greater(
            pc.binary_length(image_files), LONGEST_KEY
        ),
    }
    found = {words: rows_where(mask) for words, mask in kinds.items() if pc.any(mask).as_py()}
    faults = [f"image_file {words.format(_listed('row', rows))}" for words, rows in found.items()]
    repeated = [name for name in _repeated_values(image_files).to_pylist() if name.strip()]
    if repeated:
        named = _with_rows(image_files, repeated)
        faults.append(
            f"image_file is not unique: {named}. Each image has one row: remove the others, or rename the images."
        )
    return faults


def _other_chunks(table: pa.Table, chunks: list[str]) -> list[str]:
    """The fault of metadata without any chunk of the run; where only some rows have other chunks, these are doubted."""
    if not pc.all(_is_of_other_chunk(table, chunks)).as_py():
        return []
    found = pc.unique(table["chunk_number"]).to_pylist()
    return [
        f"no row has the chunk_number of a chunk in the manifest. The rows have {_listed('chunk', found)}, the "
        f"manifest {_listed('chunk', chunks)}. Correct one of the two."
    ]


def _is_of_other_chunk(table: pa.Table, chunks: list[str]) -> pa.ChunkedArray:
    return pc.invert(pc.is_in(table["chunk_number"], pa.array(chunks, pa.string())))


def _checks_of_rows(columns: list[str], chunks: list[str] | None, labels: list[str]) -> list[Check]:
    """The checks that take one row at a time and whose columns the source has."""
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


def _checks_of_names(names: Mapping[str, Names], labels: list[str], relabelling: Relabelling) -> list[Check]:
    """How many rows have a value that stands for no label, and each of the names that the config maps."""
    missing = {column: tuple(relabelling.missing_in(column, labels)) for column in names}
    checks = [_check_of_missing(label, [label], missing[label]) for label in labels if missing.get(label)]
    others = [column for column, words in missing.items() if words and column not in labels]
    if others:
        checks.append(_check_of_missing("another taxon", others, missing[others[0]]))
    mapped = [(column, name) for column, of_column in relabelling.map.items() for name in of_column]
    return [*checks, *(_check_of_name(column, name, names[column][name]) for column, name in mapped)]


def _check_of_missing(what: str, columns: list[str], words: tuple[str, ...]) -> Check:
    def has_one(table: pa.Table) -> pa.ChunkedArray:
        return reduce(pc.or_, (is_one_of(column, words) for column in table.columns))

    return Check(f"{what} is {' or '.join(words)}, read as {NOT_CLASSIFIED}", columns, has_one)


def _check_of_name(column: str, name: str, other: str) -> Check:
    return Check(_mapped(column, name, other), [column], lambda table: pc.equal(table[column], name))


def _mapped(column: str, name: str, other: str) -> str:
    return f"{column} is {name!r}, read as {other!r}"


def _unknown_names(relabelling: Relabelling, table: pa.Table, doubts: list[Doubt]) -> list[str]:
    """The faults of names that the config maps and that no row has, each with the names that are nearest to it."""
    rows = {doubt.check: doubt.rows for doubt in doubts}
    faults = []
    for column, names in relabelling.map.items():
        unknown = [name for name, other in names.items() if not rows[_mapped(column, name, other)]]
        there = pc.unique(table[column]).to_pylist() if unknown else []
        for name in unknown:
            near = ", ".join(map(repr, get_close_matches(name, there))) or "none"
            faults.append(f"labels.map.{column}: no row has {name!r}; names that are like it: {near}")
    return faults


def _doubt(check: Check, table: pa.Table) -> Doubt:
    """The result of a check of a table, as if the file had these rows alone."""
    columns = table.select(check.columns)
    rows = rows_where(check.is_doubtful(columns))
    if not len(rows):
        return Doubt(check.name, 0)
    first_row = int(rows[0])
    first = columns.slice(first_row - 2, 1).to_pylist()[0]  # row 2 of the file is the first of the table
    values = ", ".join(f"{name} = {value[:40]!r}" for name, value in first.items())
    return Doubt(check.name, len(rows), first_row, values)


def _total(doubts: Sequence[Doubt], rows_before: list[int]) -> Doubt:
    """The results of one check in all pieces as one; `rows_before` has the number of rows before each piece."""
    rows = sum(doubt.rows for doubt in doubts)
    for before, doubt in zip(rows_before, doubts, strict=True):
        if doubt.rows:
            return doubt._replace(rows=rows, first_row=before + doubt.first_row)
    return doubts[0]


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


def _has_several_parents(table: pa.Table) -> pa.ChunkedArray:
    """Where a taxon, in the first column, has more than one taxon of the rank above, in the second, in all rows."""
    rank, parent = table.column_names
    known = reduce(pc.and_, (pc.invert(pc.is_in(column, pa.array(["", NOT_CLASSIFIED]))) for column in table.columns))
    pairs = table.filter(known).group_by([rank, parent]).aggregate([])
    return pc.and_(known, pc.is_in(table[rank], _repeated_values(pairs[rank])))


CHECKS_OF_TABLE = (
    Check("sampleid is there more than once", ["sampleid"], _is_repeated),
    *(
        Check(f"{rank} lies in more than one {parent}", [rank, parent], _has_several_parents)
        for rank, parent in PARENT_RANKS
    ),
)


def _repeated_values(column: pa.ChunkedArray) -> pa.Array:
    """The values that are there more than once; most often none, which hashes show without counting."""
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
