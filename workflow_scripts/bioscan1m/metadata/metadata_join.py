"""The metadata with one column per experiment: the file that is published, and the same as Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bioscan1m.metadata.metadata import (
    NO_SPLIT,
    WITHOUT_REPEATS,
    complete,
    order_columns,
    read_header,
    stream_tsv,
    write_tsv_batches,
)
from bioscan1m.tables import parquet_writer, read_parquet


def join_metadata(
    metadata: str | Path,
    validated: str | Path,
    splits: list[str | Path],
    labels: list[str],
    experiments: list[str],
    joined: str | Path,
    parquet: str | Path,
) -> dict[str, int]:
    """Write the source metadata with the roles of `splits`, one table per experiment; return counts of rows.

    `validated` was made of `metadata` and has its image_files, `labels` are the columns that the experiments use.
    `joined` is the TSV, `parquet` the same for those who would not parse a gigabyte of text. Columns stand in the
    published order, further ones of the source after them; blank taxa are not_classified. A row without a role in an
    experiment says no_split. The rows pass through in pieces: all of them would take gigabytes of memory.
    """
    image_files = read_parquet(validated, columns=["image_file"])["image_file"].combine_chunks()
    roles = pa.table({name: _roles(image_files, split) for name, split in zip(experiments, splits, strict=True)})
    columns = order_columns(read_header(metadata), experiments)
    schema = pa.schema([(name, pa.string()) for name in columns])
    repeating = [name for name in columns if name not in WITHOUT_REPEATS]
    with parquet_writer(parquet, schema, compression="zstd", use_dictionary=repeating) as also:
        pieces = (complete(piece, labels) for piece in stream_tsv(metadata))
        write_tsv_batches(joined, columns, _also_written(_with_roles(pieces, roles), also, columns))
    return {"in": len(image_files), "out": len(image_files)}


def _also_written(
    batches: Iterator[pa.RecordBatch], also: pq.ParquetWriter, columns: list[str]
) -> Iterator[pa.RecordBatch]:
    """The batches, each written to a second file as it passes, in a thread that is one batch behind at most."""
    with ThreadPoolExecutor(1) as writer:
        written = None
        for batch in batches:
            if written is not None:
                written.result()
            written = writer.submit(also.write_batch, batch.select(columns))
            yield batch
        if written is not None:
            written.result()


def _roles(image_files: pa.Array, split: str | Path) -> pa.Array:
    """The role of each image, no_split where the split does not name it."""
    table = read_parquet(split, columns=["image_file", "role"])
    places = pc.index_in(image_files, table["image_file"])
    return pc.fill_null(table["role"].combine_chunks().take(places), NO_SPLIT)


def _with_roles(pieces: Iterator[pa.Table], roles: pa.Table) -> Iterator[pa.RecordBatch]:
    """The pieces of the metadata, the columns of the experiments added or replaced."""
    start = 0
    for piece in pieces:
        columns = {name: piece[name].combine_chunks() for name in piece.column_names}
        for name in roles.column_names:
            columns[name] = roles[name].slice(start, len(piece)).combine_chunks()
        yield pa.RecordBatch.from_pydict(columns)
        start += len(piece)
