"""The metadata table: its columns, and how it is read and written.

Every value stays the string that it is in the file: nothing is inferred, so nothing is lost (`012` is no number, `NA`
is no missing value). Tables are Arrow's: a million rows with their barcodes take 1 GB there, and several in pandas.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from bioscan1m.foundation.atomic import write_aside
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.foundation.tables import parquet_writer
from bioscan1m.foundation.tsv import as_tsv
from bioscan1m.foundation.user_tables import column_of_bad_quote, header_faults, refuse_faults

Result = TypeVar("Result")

# Paper, A1.2: the 22 columns in their order. The source has all but the six of the experiments.
RANKS = ("phylum", "class", "order", "family", "subfamily", "tribe", "genus", "species", "subspecies")
TAXA = ("name", *RANKS)
PUBLISHED_EXPERIMENTS = (
    "large_diptera_family",
    "medium_diptera_family",
    "small_diptera_family",
    "large_insect_order",
    "medium_insect_order",
    "small_insect_order",
)
SOURCE_COLUMNS = ("sampleid", "processid", "uri", *TAXA, "nucraw", "image_file", "chunk_number")
# Nearly every row has a value of its own here, so that a dictionary only costs time.
WITHOUT_REPEATS = ("sampleid", "processid", "nucraw", "image_file")
PUBLISHED_COLUMNS = (*SOURCE_COLUMNS[:-1], *PUBLISHED_EXPERIMENTS, "chunk_number")

# A piece of the file: large enough for a row group of Parquet, small enough to hold several in each thread.
BYTES_PER_PIECE = 8 * 2**20

TABS = pa.csv.ParseOptions(delimiter="\t")
TABS_ALONE = pa.csv.ParseOptions(delimiter="\t", quote_char=False)  # a fifth faster

DOUBLED = "; a quote that is part of a value stands twice, and the value in quotes"
TEXT_AFTER_QUOTE = re.compile(rb'(?:^|\t)"[^"\n]*+(?:""[^"\n]*+)*+"[^"\t\r\n]', re.MULTILINE)

# So many rows are read where one is wanted: a trace of one image reads no million of barcodes.
ROWS_PER_GROUP = 2**16

NOT_CLASSIFIED = "not_classified"  # no taxon
NO_SPLIT = "no_split"  # no role


def order_columns(names: list[str], experiments: list[str]) -> list[str]:
    """The column names in the published order, the experiments in place of the six; all other columns follow.

    Of the experiments, the published ones come first, in their order.
    """
    ordered = sorted(experiments, key=[*PUBLISHED_EXPERIMENTS, *experiments].index)
    published = [*SOURCE_COLUMNS[:-1], *ordered, SOURCE_COLUMNS[-1]]
    return [*published, *(name for name in names if name not in published)]


def read_header(path: str | Path) -> list[str]:
    """The names of the columns. Raises InputError where the file has none, or one of them is empty or there twice."""
    try:
        with open(path, "rb") as file:
            line = file.readline().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: row 1, the header, is not UTF-8 ({error.reason})") from None
    names = next(csv.reader([line], delimiter="\t"), [])
    if not names:
        raise InputError(f"{path}: the file has no header with the names of its columns")
    refuse_faults(path, header_faults(names))
    return names


def read_tsv(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """Read a tab-separated UTF-8 table, or some of its columns, as strings; an empty cell is an empty string.

    Quotes around a value, a byte order mark and the line ends of Windows are understood. Raises InputError that names
    the row where the file is not such a table; row 1 is the header.
    """
    names = read_header(path) if columns is None else columns
    nothing = pa.schema([(name, pa.string()) for name in names]).empty_table()
    return pa.concat_tables([nothing, *stream_tsv(path, columns, pa.cpu_count())])


def stream_tsv(path: str | Path, columns: list[str] | None = None, threads: int = 1) -> Iterator[pa.Table]:
    """The rows of a table, as `read_tsv` reads them, in pieces of BYTES_PER_PIECE parsed in `threads` threads."""
    return map_tsv(lambda piece: piece, path, columns, threads)


def map_tsv(
    function: Callable[[pa.Table], Result], path: str | Path, columns: list[str] | None = None, threads: int = 1
) -> Iterator[Result]:
    """`function(piece)` of each piece of `stream_tsv`, computed in the thread that has parsed it."""
    names = read_header(path)
    if missing := [name for name in columns or () if name not in names]:
        raise InputError(f"{path}: no column {', '.join(missing)}, separated by tabs; there are: {', '.join(names)}")

    def work(place: tuple[int, int]) -> Result:
        try:
            piece = _parse(path, *place, names, columns)
        except pa.ArrowInvalid:
            refuse_faults(path, list(_faulty_rows(path, names)) or ["the table cannot be read"])
            raise
        return function(piece)

    return map_in_order(work, _pieces_of_lines(path), threads)


def numbered(pieces: Iterable[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    """Each piece of a table with the number of rows before it."""
    start = 0
    for piece in pieces:
        yield start, piece
        start += len(piece)


def write_tsv(path: str | Path, table: pa.Table) -> None:
    r"""Write a table of strings as tab-separated UTF-8 with \n line ends; only values that need quotes have them."""
    pieces = (table.slice(start, ROWS_PER_GROUP) for start in range(0, len(table), ROWS_PER_GROUP))
    write_tsv_lines(path, table.column_names, map(tsv_lines, pieces))


def write_tsv_lines(path: str | Path, columns: list[str], lines: Iterable[bytes | pa.Buffer]) -> None:
    """Write a table that comes in lines, as those of `tsv_lines`, below the names of its columns."""
    with write_aside(path) as part, part.open("wb") as file:
        file.write(as_tsv([columns]).encode())
        for some in lines:
            file.write(some)


def tsv_lines(table: pa.Table) -> bytes | pa.Buffer:
    """The lines of a table, without its header, as `write_tsv` writes them."""
    lines = pa.BufferOutputStream()
    try:
        pa.csv.write_csv(table, lines, pa.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none"))
    except pa.ArrowInvalid:  # a value holds a quote, a tab or a line end
        return as_tsv(zip(*(column.to_pylist() for column in table.columns), strict=True)).encode()
    return lines.getvalue()


def write_strings(path: str | Path, table: pa.Table) -> None:
    """Write a table of strings as Parquet, to be written and read fast: names of images do not compress, nor repeat.

    Columns may be dictionaries here; they are read as strings. Nobody looks for a range of values, so none are noted.
    """
    repeating = _repeating(table.column_names)
    options = {
        "compression": {name: "zstd" if name in repeating else "none" for name in table.column_names},
        "use_dictionary": repeating or False,
        "write_statistics": False,
        "store_schema": False,
    }
    with parquet_writer(path, table.schema, **options) as writer:
        writer.write_table(table, ROWS_PER_GROUP)


def write_metadata_parquet(path: str | Path, metadata: str | Path) -> dict[str, int]:
    """Write a metadata TSV as Parquet, for those who would not parse a gigabyte of text; return the count of rows."""
    columns = read_header(metadata)
    schema = pa.schema([(name, pa.string()) for name in columns])
    rows = 0
    with parquet_writer(path, schema, compression="zstd", use_dictionary=_repeating(columns)) as file:
        for piece in stream_tsv(metadata):
            file.write_table(piece)
            rows += len(piece)
    return {"in": rows, "out": rows}


def complete(table: pa.Table, labels: list[str], columns: Iterable[str] = SOURCE_COLUMNS) -> pa.Table:
    """The table with all `columns` and labels: blank and absent taxa are not_classified, other absences are empty."""
    for name in dict.fromkeys([*columns, *labels]):
        taxon = name in TAXA or name in labels
        if name not in table.column_names:
            value = pa.scalar(NOT_CLASSIFIED if taxon else "")
            table = table.append_column(name, pa.chunked_array([pa.repeat(value, table.num_rows)]))
        elif taxon and pc.any(blank := is_blank(table[name])).as_py():
            filled = pc.if_else(blank, NOT_CLASSIFIED, table[name])
            table = table.set_column(table.column_names.index(name), name, filled)
    return table


def is_blank(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Where a column of strings has nothing but white space."""
    return pc.or_(pc.equal(column, ""), pc.utf8_is_space(column))


def rows_where(mask: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """The rows of a file in which a mask over its table is true; row 1 is the header."""
    return np.flatnonzero(mask.to_numpy(zero_copy_only=False)) + 2


def _repeating(columns: list[str]) -> list[str]:
    return [name for name in columns if name not in WITHOUT_REPEATS]


def _pieces_of_lines(path: str | Path) -> Iterator[tuple[int, int]]:
    """From where to where in the file there are lines, some at a time, below the header.

    A value with a line end would be torn, but it is refused anyhow.
    """
    with open(path, "rb") as file:
        file.readline()
        end, size = file.tell(), os.fstat(file.fileno()).st_size
        while (start := end) < size:
            file.seek(min(start + BYTES_PER_PIECE, size))
            file.readline()
            end = file.tell()
            yield start, end


def _parse(path: str | Path, start: int, end: int, names: list[str], columns: list[str] | None) -> pa.Table:
    """The rows in some bytes of a file. Raises ArrowInvalid where these are no lines of such a table."""
    with open(path, "rb") as file:
        file.seek(start)
        lines = file.read(end - start)
    quoted = b'"' in lines
    if quoted and _has_text_after_quote(lines):
        raise pa.ArrowInvalid("text after a quote that encloses a value: pyarrow would leave the quotes out")
    read = pa.csv.ReadOptions(column_names=names, block_size=len(lines), use_threads=False)
    parse = TABS if quoted else TABS_ALONE
    convert = _as_strings(names, columns)
    try:
        table = pa.csv.read_csv(pa.BufferReader(lines), read, parse, convert)
    except pa.ArrowInvalid:
        cut = _without_empty_ends(lines, len(names))
        if cut == lines:
            raise
        table = pa.csv.read_csv(pa.BufferReader(cut), read, parse, convert)
    # A quote that nothing closes swallows the end of its line, and the lines after it.
    if quoted and any(pc.any(_has_line_end(column)).as_py() for column in table.columns):
        raise pa.ArrowInvalid("a value with a line end")
    return table


def _without_empty_ends(lines: bytes, columns: int) -> bytes:
    """Lines without the empty cells beyond the last of so many columns, which spreadsheets leave there."""
    return b"\n".join(_without_empty_end(line, columns) for line in lines.split(b"\n"))


def _without_empty_end(line: bytes, columns: int) -> bytes:
    cells, end = line.rstrip(b"\r"), line[len(line.rstrip(b"\r")) :]
    if b"\r" in cells:
        return line
    count = cells.count(b"\t") + 1
    if b'"' in cells and count > columns:  # a value in quotes may have tabs
        count = len(next(csv.reader([cells.decode("utf-8", "replace")], delimiter="\t")))
    beyond = b"\t" * (count - columns)
    return cells.removesuffix(beyond) + end


def _has_text_after_quote(lines: bytes) -> bool:
    """Whether a quote that encloses a value is followed by text; the slow search is for lines with quotes in values."""
    letters = np.frombuffer(b"\n" + lines + b"\n", np.uint8)
    places = np.flatnonzero(letters == ord('"'))
    opens = np.isin(letters[places - 1], list(b"\t\n"))
    closes = np.isin(letters[places + 1], list(b'\t\n\r"'))
    return not (opens | closes).all() and TEXT_AFTER_QUOTE.search(lines) is not None


def _as_strings(names: list[str], columns: list[str] | None = None) -> pa.csv.ConvertOptions:
    """Every value stays as it is; of the columns `names`, some or all are read."""
    return pa.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, include_columns=columns
    )


def _has_line_end(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.match_substring(column, "\n")


def _faulty_rows(path: str | Path, names: list[str]) -> Iterator[str]:
    """What is wrong with the lines of a file, each with its row; row 1 is the header."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if fault := _fault(line, names):
                yield f"row {number}{fault}"


def _fault(line: bytes, names: list[str]) -> str | None:
    """What is wrong with one line, None where it is a row of so many columns, or blank."""
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        return f" is not UTF-8 ({error.reason}: {line[error.start : error.end]!r})"
    if "\r" in text:
        return " has a carriage return within, which ends a row too early; remove it"
    try:
        (cells,) = csv.reader([text], delimiter="\t", strict=True)
    except csv.Error:
        column = column_of_bad_quote(text, "\t")
        name = names[min(column, len(names)) - 1]
        return f": the value of {name} (column {column}) opens a quote that nothing closes, or text follows it{DOUBLED}"
    while len(cells) > len(names) and not cells[-1]:
        cells.pop()
    if cells and len(cells) != len(names):
        beyond = f", {cells[-1]!r} in the last" if len(cells) > len(names) else ""
        return f" has {len(cells)} cells, and the header {len(names)} columns{beyond}"
    return None
