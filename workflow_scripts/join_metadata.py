"""Write the metadata with its split columns, in the published form."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.jobs.context import job
from bioscan1m.metadata.relabelling import NOTHING_STATED, Relabelling, relabel
from bioscan1m.metadata.source import open_source
from bioscan1m.metadata.table import (
    complete,
    numbered,
    order_columns,
    tsv_lines,
    write_tsv_lines,
)


def join_metadata(
    metadata: str | Path,
    roles: str | Path,
    labels: list[str],
    joined: str | Path,
    threads: int,
    relabelling: Relabelling = NOTHING_STATED,
) -> dict[str, int]:
    """Write the source metadata with the columns of roles.

    The columns have the published order, and further ones of the source follow; blank taxa are not_classified. The rows
    are read and written in pieces: all of them would take gigabytes of memory.

    Args:
        metadata: The source metadata.
        roles: The table of all roles, Parquet, with the same rows.
        labels: The columns that the experiments use.
        joined: The TSV file to write.
        threads: The number of pieces that are worked on at the same time.
        relabelling: What the config states of labels.

    Returns:
        The count of rows.

    Raises:
        InputError: The two tables are not of the same images.
    """
    of_rows = read_parquet(roles).combine_chunks()
    source = open_source(metadata)
    columns = order_columns(source.columns, of_rows.column_names[1:])
    names = relabelling.names_in(source.columns, labels)

    def lines_of(part: tuple[pa.Table, pa.Table]) -> bytes | pa.Buffer:
        piece, of_piece = part
        return tsv_lines(_with_roles(complete(relabel(piece, names), labels), of_piece).select(columns))

    parts = _side_by_side(source.map(lambda piece: piece, threads), of_rows, f"{roles} and {metadata}")
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


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        record.images = join_metadata(
            inputs.metadata,
            inputs.roles,
            labels=params.labels,
            joined=outputs.metadata,
            threads=snakemake.threads,
            relabelling=Relabelling.from_config(params.get("relabelling")),
        )
