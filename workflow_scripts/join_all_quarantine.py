"""Join the quarantine tables of all chunks and what the metadata lack into one table, for the report."""

from collections.abc import Sequence
from pathlib import Path

from bioscan1m.foundation.quarantine import COLUMNS, UNREADABLE_IMAGE, read_quarantine
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.jobs.context import job


def join_chunks(
    tables: Sequence[str | Path], chunks: Sequence[str], reconciliation: str | Path, joined: str | Path
) -> dict[str, int]:
    """Join the tables of all chunks, then list rows without image and images without row with the stage `metadata`.

    Args:
        tables: quarantine tables of the chunks.
        chunks: names of the chunks.
        reconciliation: table of the rows without image and of the images without row.
        joined: table to write, with a column for the chunk.

    Returns:
        The number of rows.
    """
    rows = [(chunk, *row) for chunk, table in zip(chunks, tables, strict=True) for row in read_quarantine(table)]
    rows += [
        (chunk, image_file, "metadata", problem)
        for image_file, chunk, problem in read_quarantine(reconciliation)
        if problem != UNREADABLE_IMAGE
    ]
    write_rows(joined, ("chunk", *COLUMNS), rows)
    return {"quarantined": len(rows)}


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        record.images = join_chunks(inputs.tables, params.chunks, inputs.reconciliation, outputs.table)
