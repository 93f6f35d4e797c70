"""The chunk manifest, chunks.tsv: one row of facts per source zip. A new chunk is a new row.

It is read each time the Snakefile is parsed, once per cluster job, so it must read fast: the csv module, no pandas.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.image_keys import KEY_FOLDER, THIS_FOLDER, clean_path
from bioscan1m.foundation.sources import Source, parse_checksum, refuse_secrets, scheme_of
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.plan.names import ALLOWED_IN_CHUNKS, CHUNK_NAME, alike

COLUMNS = ("chunk", "source", "bytes", "checksum")


def read_manifest(path: str | Path) -> dict[str, Source]:
    """The source of each chunk by its name, in the order of the file.

    Tab-separated UTF-8 with a header; the column `key_folder` may be absent, and further ones are ignored. Raises
    InputError that names file, row (the header is row 1) and column, and what is allowed.
    """
    chunks: dict[str, Source] = {}
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
    for name, other in alike(chunks):
        place = f"{path}, row {rows_of_chunks[name]}, column chunk"
        raise InputError(f"{place}: '{name}' differs from '{other}' in upper and lower case alone; rename it")
    if not chunks:
        raise InputError(f"{path}: no chunk; add a row with {', '.join(COLUMNS)}, separated by tabs")
    return chunks


def write_manifest(path: str | Path, chunks: Mapping[str, Source]) -> None:
    """Write what `read_manifest` reads; None becomes an empty cell."""
    columns = (*COLUMNS, *([KEY_FOLDER] if any(KEY_FOLDER in facts for facts in chunks.values()) else []))
    rows = ([{"chunk": name, **facts}.get(column) for column in columns] for name, facts in chunks.items())
    write_rows(path, columns, rows)


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
    return [(row, {column: cells.get(column, "").strip() for column in (*COLUMNS, KEY_FOLDER)}) for row, cells in rows]


def _check_header(path: str | Path, header: Sequence[str]) -> None:
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise InputError(
            f"{path}, row 1: no column {', '.join(missing)}; the header must be {', '.join(COLUMNS)}, separated by "
            f"tabs, and is: {', '.join(header) or 'empty'}"
        )


def _parse(cells: dict[str, str]) -> Source:
    """The facts of one row. Raises InputError that names the column."""
    if not CHUNK_NAME.fullmatch(cells["chunk"]):
        raise InputError(f"column chunk: '{cells['chunk']}' is no chunk name; {ALLOWED_IN_CHUNKS}")
    try:
        scheme_of(cells["source"])
        refuse_secrets(cells["source"])
    except InputError as error:
        raise InputError(f"column source: {error}") from None
    if not re.fullmatch(r"[1-9][0-9]*|", cells["bytes"], re.ASCII):
        raise InputError(f"column bytes: '{cells['bytes']}' is no size; a whole number above 0 or nothing is allowed")
    facts: Source = {
        "source": cells["source"],
        "bytes": int(cells["bytes"]) if cells["bytes"] else None,
        "checksum": _parse_checksum(cells["checksum"]),
    }
    return facts if not cells[KEY_FOLDER] else {**facts, "key_folder": _parse_key_folder(cells[KEY_FOLDER])}


def _parse_key_folder(cell: str) -> str:
    if cell != THIS_FOLDER and (clean_path(cell) != cell or any(part.startswith(".") for part in cell.split("/"))):
        raise InputError(
            f"column {KEY_FOLDER}: '{cell}' is no folder; allowed are `.`, or names with / between them of which none "
            "begins with a dot"
        )
    return cell


def _parse_checksum(cell: str) -> str | None:
    if not cell:
        return None
    try:
        return ":".join(parse_checksum(cell))
    except InputError as error:
        raise InputError(f"column checksum: {error}, or nothing") from None
