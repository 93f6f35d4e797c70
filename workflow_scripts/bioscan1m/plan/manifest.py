"""The chunk manifest, chunks.tsv: one row of facts per source zip. A new chunk is a new row.

It is read each time the Snakefile is parsed, once per cluster job, so it must read fast: the csv module, no pandas.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioscan1m.atomic import write_text
from bioscan1m.errors import InputError
from bioscan1m.fetch.sources import parse_checksum, scheme_of

COLUMNS = ("chunk", "source", "bytes", "checksum")
# Chunk names stand in file names and are a wildcard of the rules.
CHUNK_NAME = re.compile(r"[A-Za-z0-9_-]+")


def read_manifest(path: str | Path) -> dict[str, dict[str, Any]]:
    """Chunk name -> {"source": str, "bytes": int or None, "checksum": str or None}, in the order of the file.

    Tab-separated UTF-8 with a header; further columns are ignored. Raises InputError that names file, row (the header
    is row 1) and column, and says what is allowed.
    """
    chunks: dict[str, dict[str, Any]] = {}
    rows_of_chunks: dict[str, int] = {}
    for row, cells in _rows(path):
        name = cells["chunk"]
        try:
            facts = _parse(cells)
        except InputError as error:
            raise InputError(f"{path}, row {row}, {error}") from None
        if name in chunks:
            raise InputError(f"{path}, row {row}, column chunk: '{name}' stands in row {rows_of_chunks[name]} already")
        chunks[name], rows_of_chunks[name] = facts, row
    if not chunks:
        raise InputError(f"{path}: no chunk; add a row with {', '.join(COLUMNS)}, separated by tabs")
    return chunks


def write_manifest(path: str | Path, chunks: Mapping[str, Mapping[str, Any]]) -> None:
    """Write what `read_manifest` reads; None becomes an empty cell."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([name, *(facts[column] for column in COLUMNS[1:])] for name, facts in chunks.items())
    write_text(path, buffer.getvalue())


def _rows(path: str | Path) -> list[tuple[int, dict[str, str]]]:
    """Row numbers and cells without the space around them; an absent last cell is empty."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", restkey="too many", restval="", strict=True)
            _check_header(path, reader.fieldnames or [])
            rows = [(reader.line_num, cells) for cells in reader]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; the config's `chunks` names it, one row per source zip") from None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"{path}: not a readable table ({error}); it must be tab-separated text in UTF-8") from None
    for row, cells in rows:
        if "too many" in cells:
            raise InputError(f"{path}, row {row}: more cells than the header has columns ({', '.join(COLUMNS)})")
    return [(row, {column: cells[column].strip() for column in COLUMNS}) for row, cells in rows]


def _check_header(path: str | Path, header: list[str]) -> None:
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise InputError(
            f"{path}, row 1: no column {', '.join(missing)}; the header must be {', '.join(COLUMNS)}, separated by "
            f"tabs, and is: {', '.join(header) or 'empty'}"
        )


def _parse(cells: dict[str, str]) -> dict[str, Any]:
    """The facts of one row. Raises InputError that names the column."""
    if not CHUNK_NAME.fullmatch(cells["chunk"]):
        raise InputError(f"column chunk: '{cells['chunk']}' is no chunk name; letters, digits, _ and - are allowed")
    try:
        scheme_of(cells["source"])
    except InputError as error:
        raise InputError(f"column source: {error}") from None
    if not re.fullmatch(r"[1-9][0-9]*|", cells["bytes"], re.ASCII):
        raise InputError(f"column bytes: '{cells['bytes']}' is no size; a whole number above 0 or nothing is allowed")
    return {
        "source": cells["source"],
        "bytes": int(cells["bytes"]) if cells["bytes"] else None,
        "checksum": _parse_checksum(cells["checksum"]),
    }


def _parse_checksum(cell: str) -> str | None:
    if not cell:
        return None
    try:
        return ":".join(parse_checksum(cell))
    except InputError as error:
        raise InputError(f"column checksum: {error}, or nothing") from None
