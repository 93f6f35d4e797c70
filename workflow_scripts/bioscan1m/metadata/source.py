"""The source metadata in any dialect: tab-separated UTF-8 is read in pieces as it is, all else as a user's table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.foundation.user_tables import XLSX, Dialect, read_user_table
from bioscan1m.metadata.table import ROWS_PER_GROUP, map_tsv, read_header

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

# A table in another dialect is held in memory as Python's strings, some ten times as large as the file.
MOST_BYTES = 128 * 2**20
# The dialect is read from so much of a file. Files of this size and below are looked at as a whole.
BYTES_LOOKED_AT = 8 * 2**20
SOURCE_DIALECT = Dialect(stated_by="double each quote and put the value in quotes")


@dataclass(frozen=True)
class MetadataSource:
    """The source metadata: its columns, and its rows where they are in memory; else they are read in pieces."""

    path: str | Path
    columns: list[str]
    rows: pa.Table | None = None

    def map(self, function: Callable[[pa.Table], Result], threads: int) -> Iterator[Result]:
        """`function(piece)` of each piece of the rows, all columns strings, in their order."""
        if self.rows is None:
            return map_tsv(function, self.path, threads=threads)
        starts = range(0, len(self.rows), ROWS_PER_GROUP)
        return map_in_order(function, (self.rows.slice(start, ROWS_PER_GROUP) for start in starts), threads)


def open_source(path: str | Path) -> MetadataSource:
    """The source metadata, whose dialect is read from the file and logged unless it is UTF-8 with tabs.

    Raises InputError where the file is missing or no table, with its first faults and their rows, or is large and in
    another dialect.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(BYTES_LOOKED_AT)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    if _is_plain(start):
        return MetadataSource(path, read_header(path))
    if path.stat().st_size > MOST_BYTES:
        most = f"{MOST_BYTES // 2**20} MB"
        raise InputError(f"{path}: a table above {most} must be UTF-8, separated by tabs; save it as such")
    table = read_user_table(path, SOURCE_DIALECT)
    columns = {name: [row[name] for _, row in table.rows] for name in table.columns}
    schema = pa.schema([(name, pa.string()) for name in table.columns])
    return MetadataSource(path, table.columns, pa.table(columns, schema))


def _is_plain(start: bytes) -> bool:
    r"""Whether a file that starts so is UTF-8 with tabs in its header, the last of them between names, and \n."""
    header, line_end, _ = start.partition(b"\n")
    names = header.rstrip(b"\r")
    if not line_end or start.startswith(XLSX) or b"\r" in names or b"\t" not in names or names.endswith(b"\t"):
        return False
    whole = start if len(start) < BYTES_LOOKED_AT else start[: start.rfind(b"\n")]
    return b"\0" not in header and _is_utf8(whole)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
