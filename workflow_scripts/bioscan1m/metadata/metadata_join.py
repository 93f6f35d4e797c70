"""The metadata with one column per experiment: the file that is published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from bioscan1m.errors import InputError
from bioscan1m.metadata.metadata import complete, order_columns, read_header, stream_tsv, write_tsv_batches
from bioscan1m.tables import read_parquet


def join_metadata(metadata: str | Path, roles: str | Path, labels: list[str], joined: str | Path) -> dict[str, int]:
    """Write the source metadata with the columns of `roles`, which has its rows; return counts of rows.

    `labels` are the columns that the experiments use. Columns stand in the published order, further ones of the source
    after them; blank taxa are not_classified. The rows pass through in pieces: all of them would take gigabytes of
    memory. Raises InputError where the two tables are not of the same images.
    """
    of_rows = read_parquet(roles).combine_chunks()
    columns = order_columns(read_header(metadata), of_rows.column_names[1:])
    pieces = (complete(piece, labels) for piece in stream_tsv(metadata))
    write_tsv_batches(joined, columns, _with_roles(pieces, of_rows, f"{roles} and {metadata}"))
    return {"in": len(of_rows), "out": len(of_rows)}


def _with_roles(pieces: Iterator[pa.Table], roles: pa.Table, named: str) -> Iterator[pa.RecordBatch]:
    """The pieces of the metadata, the columns of the experiments added or replaced."""
    start = 0
    for piece in pieces:
        of_piece = roles.slice(start, len(piece)).combine_chunks()
        if not of_piece["image_file"].equals(piece["image_file"]):
            raise InputError(f"{named} differ in their images after row {start + 1}: they are not of one run")
        columns = {name: piece[name].combine_chunks() for name in piece.column_names}
        columns |= {name: of_piece[name].combine_chunks().cast(pa.string()) for name in roles.column_names}
        yield pa.RecordBatch.from_pydict(columns)
        start += len(piece)
