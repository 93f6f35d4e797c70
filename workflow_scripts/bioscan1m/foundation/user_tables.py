"""Tables as Excel, LibreOffice, R, GBIF and BOLD write them: CSV of several dialects and encodings, and .xlsx.

The dialect is read from the file and logged in one line; what cannot be read is refused with all its faults at once.
Values stay text: `001`, `NA` and `True` are what they are.
"""

from __future__ import annotations

import codecs
import csv
import io
import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile, islice
from pathlib import Path
from typing import Literal

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.workbooks import cells_of_workbook

logger = logging.getLogger(__name__)

DELIMITERS = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "vertical bars"}
LINES_LOOKED_AT = 50
MOST_FAULTS = 20  # that one message names
FEW_ROWS = 3  # of fewer nothing is concluded
QUOTES_LOOKED_FOR = 1000  # faults of quotes, for after each of them reading starts anew
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
SEVERAL_LINES = re.compile(r"[ \t]*(?:\r\n|[\n\r\t\v\f\x85\u2028\u2029])[ \t]*")
XLSX = b"PK\x03\x04"
# First bytes of files that are no text, and what to do with them.
NO_TEXT = {
    b"\xd0\xcf\x11\xe0": "a workbook of Excel 97 (.xls), or one with a password; save it as .xlsx or as CSV",
    b"\x1f\x8b": "compressed by gzip; unpack it first",
    b"BZh": "compressed by bzip2; unpack it first",
    b"PAR1": "a Parquet table; write it as CSV",
    b"%PDF": "a PDF; save the table as CSV",
}
QUOTES_AS_DATA = "; where quotes are part of the values, as in files of GBIF, {stated}"
# The first line of a CSV file may name its delimiter, for Excel.
SEPARATOR_LINE = "sep="

Rows = list[tuple[int, list[str]]]  # cells with the number of their row; the header is row 1


@dataclass(frozen=True)
class Dialect:
    """How a table is written where the user states it; None is read from the file.

    `stated_by` has the words for a message: how quotes are stated to be data.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quotes_enclose: bool = True
    stated_by: str = "add --quotes data"


@dataclass(frozen=True)
class UserTable:
    """A table of text: its path, its columns, and its rows by column with their numbers (the header is row 1)."""

    path: Path
    columns: list[str]
    rows: list[tuple[int, dict[str, str]]]


def read_user_table(path: Path, dialect: Dialect) -> UserTable:
    """Read a table of one row per image.

    Args:
        path: CSV in any dialect, or .xlsx.
        dialect: what the user states.

    Returns:
        The table; cells without the space around them.

    Raises:
        InputError: the file is missing or no table, with the first faults and their rows.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if kind := next((kind for start, kind in NO_TEXT.items() if data.startswith(start)), None):
        raise InputError(f"{path}: no text but {kind}")
    if data.startswith(XLSX) or path.suffix.lower() == ".xlsx":
        cells, faults, described = cells_of_workbook(path, data)
    else:
        cells, faults, described = _cells_of_text(path, data, dialect)
    rows = [(number, [cell.strip() for cell in row]) for number, row in cells]
    rows = [(number, row) for number, row in rows if any(row)]
    if not rows:
        raise InputError(f"{path}: {'; '.join(faults[:1]) or 'the table is empty'}")
    rows = _below_title(path, rows)
    columns, faults_of_header = _columns(rows[0][0], [SEVERAL_LINES.sub(" ", name) for name in rows[0][1]])
    body = rows[1:]
    refuse_faults(path, [*faults_of_header, *_long_rows(columns, body), *faults])
    if not body:
        raise InputError(f"{path}: the table has a header, {', '.join(columns)}, and no row")
    logger.info("%s: read as %s; %d rows, columns %s", path, described, len(body), ", ".join(columns))
    _log_short_rows(path, columns, body)
    return UserTable(path, columns, _by_column(columns, _one_line_cells(path, body)))


def _below_title(path: Path, rows: Rows) -> Rows:
    """The rows without those above the header that have one value each, where the header has several: a title.

    They are logged. A table of one column has none.
    """
    start = _place_of_header([row for _, row in rows])
    for number, row in rows[:start]:
        logger.warning("%s: row %d, '%s', is a title above the header and is left out", path, number, max(row))
    return rows[start:]


def _place_of_header(rows: Sequence[Sequence[str]]) -> int:
    """The place of the first row with several values; of the first with one, where none has more."""
    values = [sum(map(bool, row)) for row in rows]
    most = min(2, max(values))
    return next(place for place, count in enumerate(values) if count >= most)


def _one_line_cells(path: Path, rows: Rows) -> Rows:
    """Cells with a blank for each line end and tab in them, which is logged."""
    several = [number for number, row in rows for cell in row if SEVERAL_LINES.search(cell)]
    if several:
        cells = f"{len(several)} cells have line ends or tabs, the first is in row {several[0]}"
        logger.warning("%s: %s; each is read as a blank", path, cells)
    return [(number, [SEVERAL_LINES.sub(" ", cell) for cell in row]) for number, row in rows]


def refuse_faults(path: str | Path, faults: Sequence[str]) -> None:
    """Raise InputError that names the first of the faults of a file and how many more there are, if there are any."""
    if faults:
        more = f"; and {len(faults) - MOST_FAULTS} more" if len(faults) > MOST_FAULTS else ""
        raise InputError(f"{path}: {'; '.join(faults[:MOST_FAULTS])}{more}")


def header_faults(names: Sequence[str]) -> list[str]:
    """Names of columns that are there twice or empty, with the places of these columns."""
    places = {name: [str(place) for place, one in enumerate(names, 1) if one == name] for name in Counter(names)}
    doubled = {name: at for name, at in places.items() if name and len(at) > 1}
    return [
        *(f"row 1: two columns are called '{name}', columns {' and '.join(at)}" for name, at in doubled.items()),
        *(f"row 1: column {place} has no name" for place in places.get("", [])),
    ]


def _columns(number: int, header: list[str]) -> tuple[list[str], list[str]]:
    """The names of the columns, without empty ones at the end, and their faults."""
    while header and not header[-1]:
        header = header[:-1]
    return header, [fault.replace("row 1:", f"row {number}:") for fault in header_faults(header)]


def _long_rows(columns: list[str], body: Rows) -> list[str]:
    """The faults of rows with values beyond the last column; empty cells there are none.

    Where most rows have such, the first row is no header.
    """
    long = [number for number, row in body if any(row[len(columns) :])]
    if len(long) > max(len(body) / 2, FEW_ROWS):
        named = ", ".join(columns)
        return [
            f"{len(long)} of {len(body)} rows have values beyond the {len(columns)} columns of the first row, "
            f"'{named}', which is to have the names of all columns: remove what is above these, or name all columns"
        ]
    return [
        f"row {number} has {len(row)} cells, '{row[len(columns)] or row[-1]}' beyond the {len(columns)} columns"
        for number, row in body
        if any(row[len(columns) :])
    ]


def _log_short_rows(path: Path, columns: list[str], body: Rows) -> None:
    """Log that cells are missing at the end of rows: they are read as empty."""
    short = [number for number, row in body if len(row) < len(columns)]
    if short:
        rows = f"{len(short)} rows have fewer cells than the header, the first is row {short[0]}"
        logger.warning("%s: %s; what is missing is read as empty", path, rows)


def _by_column(columns: list[str], body: Rows) -> list[tuple[int, dict[str, str]]]:
    return [(number, dict(zip(columns, row + [""] * len(columns), strict=False))) for number, row in body]


def _cells_of_text(path: Path, data: bytes, dialect: Dialect) -> tuple[Rows, list[str], str]:
    """The rows of a CSV file with their numbers, the faults of those that are no rows, and its dialect in words."""
    csv.field_size_limit(2**31 - 1)  # the csv module refuses values above 131,072 characters, such as sequences
    text, encoding = _decoded(path, data, dialect.encoding)
    stated, first = dialect.delimiter, 1
    if stated is None and text[: len(SEPARATOR_LINE)].lower() == SEPARATOR_LINE:
        line, _, text = text.partition("\n")
        stated, first = line.strip()[len(SEPARATOR_LINE) :] or None, 2
    delimiter = stated or _delimiter(text)
    name = DELIMITERS.get(delimiter, repr(delimiter))
    lines = list(io.StringIO(text, newline=""))
    described = f"{encoding}, separated by {name}"
    rows, faults = _parsed(lines, delimiter, dialect.quotes_enclose, first)
    faults = faults or _swallowed_rows(lines, rows, delimiter, first)
    if faults:
        faults[0] += QUOTES_AS_DATA.format(stated=dialect.stated_by)
    return rows, faults, described


def _decoded(path: Path, data: bytes, stated: str | None) -> tuple[str, str]:
    """The text and the name of its encoding: that of its byte order mark, else UTF-8, else that of Windows."""
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), _unmarked_utf16(data))
    if stated is None and marked is None and b"\0" in data[:4096]:
        raise InputError(f"{path}: no text, it has bytes of value 0; save it as CSV in UTF-8, or as .xlsx")
    for encoding in [stated] if stated else [marked or "utf-8", "cp1252", "latin-1"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            fault = f"{path}: is not {encoding} ({error.reason}, byte {error.start})"
        except LookupError:
            fault = f"{path}: there is no encoding '{encoding}'"
        else:
            if stated is None and encoding in ("cp1252", "latin-1"):
                refuse_faults(path, _mixed_encodings(data))
            return text.lstrip("\ufeff"), encoding  # a byte order mark, where the encoding is stated
    raise InputError(fault)


def _unmarked_utf16(data: bytes) -> str | None:
    """UTF-16 without a byte order mark: of each pair of the first bytes nearly always the same one is 0."""
    start = data[: len(data) // 2 * 2][:4096]
    low, high = (start[side::2].count(0) >= 0.8 * len(start) / 2 > 0 for side in (0, 1))
    return ("utf-16-be" if low else "utf-16-le") if low != high else None


def _mixed_encodings(data: bytes) -> list[str]:
    """The lines that are not UTF-8, where others have letters in UTF-8: no one encoding is right for both."""
    lines = [(line, line.decode(errors="surrogateescape")) for line in data.splitlines()]
    wrong = [any("\udc80" <= letter <= "\udcff" for letter in text) for _, text in lines]
    if not any(not bad and not line.isascii() for bad, (line, _) in zip(wrong, lines, strict=True)):
        return []
    return [
        f"row {number} is not UTF-8, though others are ({line[:40]!r})"
        for number, (bad, (line, _)) in enumerate(zip(wrong, lines, strict=True), 1)
        if bad
    ]


def _delimiter(text: str) -> str:
    """The delimiter that splits the first lines into the most columns, as many in nearly all of them.

    Where none does, as in a table whose rows are damaged, that which splits the header into the most.
    """
    start = islice(io.StringIO(text[:200_000], newline=""), LINES_LOOKED_AT)
    lines = [line for line in start if line.strip()]
    lines = list(dropwhile(lambda line: not any(map(line.__contains__, DELIMITERS)), lines)) or lines  # without a title
    columns: dict[str, tuple[int, int]] = {}
    for delimiter in DELIMITERS:
        counts = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        most = counts[0] if counts else 0
        agree = sum(count == most for count in counts) >= 0.8 * len(counts)
        columns[delimiter] = (most if agree else 1), most
    return max(columns, key=lambda delimiter: columns[delimiter])


def _parsed(lines: list[str], delimiter: str, quotes_enclose: bool, first: int) -> tuple[Rows, list[str]]:
    """Rows with their numbers, from `first` on, and the faults of those with a quote that nothing closes.

    After such a row reading goes on in the line below it, so that all of them are found.
    """
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes_enclose else csv.QUOTE_NONE
    rows: Rows = []
    faults: list[str] = []
    start = 0
    while start < len(lines) and len(faults) < QUOTES_LOOKED_FOR:
        reader = csv.reader(islice(lines, start, None), delimiter=delimiter, quoting=quoting, strict=True)
        read = 0
        try:
            for row in reader:
                rows.append((first + len(rows) + len(faults), row))
                read = reader.line_num
            break
        except csv.Error as error:
            start += read + 1
            column = column_of_bad_quote(lines[start - 1], delimiter)
            place = f"row {first + len(rows) + len(faults)}"
            faults.append(f"{place}: a quote is not closed, or text follows it, in column {column} ({error})")
    return rows, faults


def _swallowed_rows(lines: list[str], rows: Rows, delimiter: str, first: int) -> list[str]:
    """The faults of rows whose first and last line could be rows: two stray quotes make one row of them.

    Args:
        lines: those of the file, from the header on.
        rows: what they were read as.
        delimiter: what separates cells.
        first: the number of the first row.

    Returns:
        The faults; none where no cell has a line end.
    """
    if not any("\n" in cell or "\r" in cell for _, row in rows for cell in row):
        return []
    header = rows[_place_of_header([row for _, row in rows])][1]
    least = len(_columns(1, header)[0]) - 1
    faults = []
    reader = csv.reader(lines, delimiter=delimiter)
    start = 0
    for number, row in enumerate(reader, first):
        of_row, start = lines[start : reader.line_num], reader.line_num
        if len(of_row) > 1 and 0 < least <= min(line.count(delimiter) for line in (of_row[0], of_row[-1])):
            cell = next((cell for cell in row if "\n" in cell or "\r" in cell), "")
            faults.append(
                f"row {number}: {cell[:40]!r} is one cell in quotes, though the first and last of its {len(of_row)} "
                f"lines have as many cells as a row; remove the stray quotes, or the line ends in this cell"
            )
    return faults


def column_of_bad_quote(line: str, delimiter: str) -> int:
    """The place of the column, from 1 on, whose quote nothing closes in a line, or text follows."""
    parts = line.split(delimiter)
    for count in range(1, len(parts)):
        start = delimiter.join(parts[:count])
        try:
            next(csv.reader([start], delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            if "unexpected end" not in str(error):  # else the quote may be closed in a part to come
                return len(next(csv.reader([start], delimiter=delimiter)))
    return len(next(csv.reader([line], delimiter=delimiter)))
