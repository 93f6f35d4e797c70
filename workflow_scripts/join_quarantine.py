"""Join the quarantine tables of the stages of one chunk: each image with the first stage that could not use it."""

from collections.abc import Sequence
from pathlib import Path

from bioscan1m.foundation.quarantine import COLUMNS, read_quarantine
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.jobs.context import job


def join_stages(tables: Sequence[str | Path], joined: str | Path) -> dict[str, int]:
    """Join the tables of one chunk's stages, in the order of the stages; return the count of images.

    An image that an earlier stage lost is not listed again by a later one.
    """
    rows: list[tuple[str, str, str]] = []
    for table in tables:
        known = {image_file for image_file, _, _ in rows}
        rows += [row for row in read_quarantine(table) if row[0] not in known]
    write_rows(joined, COLUMNS, rows)
    return {"quarantined": len(rows)}


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs = snakemake.input, snakemake.output
        record.images = join_stages(inputs.tables, outputs.table)
