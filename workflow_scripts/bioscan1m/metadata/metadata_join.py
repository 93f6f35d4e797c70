"""The metadata with one column per experiment: the file that is published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from bioscan1m.errors import InputError
from bioscan1m.metadata.metadata import (
    complete,
    numbered,
    order_columns,
    read_header,
    stream_tsv,
    tsv_lines,
    write_tsv_lines,
)
from bioscan1m.streams import map_in_order
from bioscan1m.tables import read_parquet


def join_metadata(
    metadata: str | Path, roles: str | Path, labels: list[str], joined: str | Path, threads: int
) -> dict[str, int]:
    """Write the source metadata with the columns of `roles`, which has its rows; return counts of rows.

    `labels` are the columns that the experiments use. Columns stand in the published order, further ones of the source
    after them; blank taxa are not_classified. The rows pass through in pieces: all of them would take gigabytes of
    memory. Raises InputError where the two tables are not of the same images.
    """
    of_rows = read_parquet(roles).combine_chunks()
    columns = order_columns(read_header(metadata), of_rows.column_names[1:])

    def lines_of(part: tuple[pa.Table, pa.Table]) -> bytes | pa.Buffer:
        piece, of_piece = part
        return tsv_lines(_with_roles(complete(piece, labels), of_piece).select(columns))

    parts = _side_by_side(stream_tsv(metadata, threads=threads), of_rows, f"{roles} and {metadata}")
    write_tsv_lines(joined, columns, map_in_order(lines_of, parts, threads))
    return {"in": len(of_rows), "out": len(of_rows)}


def _side_by_side(pieces: Iterator[pa.Table], roles: pa.Table, named: str) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Each piece of the metadata, and the roles of its rows."""
    for start, piece in numbered(pieces):
        of_piece = roles.slice(start, len(piece)).combine_chunks()
        if not of_piece["image_file"].equals(piece["image_file"]):
            raise InputError(f"{named} differ in their images after row {start + 1}: they are not of one run")
        yield piece, of_piece


def _with_roles(piece: pa.Table, roles: pa.Table) -> pa.Table:
    """The piece, the columns of the experiments added or replaced."""
    return pa.table({name: table[name] for table in (piece, roles) for name in table.column_names})
