"""Joins of quarantine tables: of the stages of one chunk, and of all chunks."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from bioscan1m.atomic import write_text
from bioscan1m.quarantine import COLUMNS, UNREADABLE_IMAGE, read_rows, write_rows


def join_stages(tables: Sequence[str | Path], joined: str | Path) -> dict[str, int]:
    """Join the tables of one chunk's stages, in the order of the stages; return the count of images.

    An image that an earlier stage lost is not listed again by a later one.
    """
    rows: list[tuple[str, str, str]] = []
    for table in tables:
        known = {image_file for image_file, _, _ in rows}
        rows += [row for row in read_rows(table) if row[0] not in known]
    write_rows(joined, rows)
    return {"quarantined": len(rows)}


def join_chunks(
    tables: Sequence[str | Path], chunks: Sequence[str], reconciliation: str | Path, joined: str | Path
) -> dict[str, int]:
    """Join the tables of all chunks, each row with its chunk in front; return the count of images.

    Rows without image and images without row follow with the stage `metadata`; `reconciliation` is their table. What
    it says of unreadable images is in the chunks' tables already.
    """
    rows = [(chunk, *row) for chunk, table in zip(chunks, tables, strict=True) for row in read_rows(table)]
    rows += [
        (chunk, image_file, "metadata", problem)
        for image_file, chunk, problem in read_rows(reconciliation)
        if problem != UNREADABLE_IMAGE
    ]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter="\t", lineterminator="\n").writerows([("chunk", *COLUMNS), *rows])
    write_text(joined, buffer.getvalue())
    return {"quarantined": len(rows)}
