"""Tables as tab-separated text without pandas: the same bytes everywhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bioscan1m.foundation.atomic import write_text


def as_tsv(rows: Iterable[Iterable[object]]) -> str:
    """Rows as lines; a value with a tab, a quote or a line end is quoted, None is an empty cell."""
    lines = io.StringIO(newline="")
    csv.writer(lines, delimiter="\t", lineterminator="\n").writerows(rows)
    return lines.getvalue()


def write_rows(path: str | Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a table: its header, and its rows in their order."""
    write_text(path, as_tsv([columns, *rows]))


def write_numbers(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, float]], digits: int) -> None:
    """Write a table of numbers, each with so many significant digits."""
    write_rows(path, columns, ([f"{row[column]:.{digits}g}" for column in columns] for row in rows))
