"""Join the tables of predictions for the parts of a large folder, in their order, into one."""

import csv
from collections.abc import Sequence
from pathlib import Path

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.jobs.context import job


def join_tables(parts: Sequence[str | Path], joined: str | Path) -> int:
    """Write the rows of all tables to one, and return their number. Raises InputError where the columns differ."""
    columns: list[str] = []
    rows: list[list[str]] = []
    for path in parts:
        with Path(path).open(encoding="utf-8", newline="") as file:
            header, *own = csv.reader(file, delimiter="\t")
        if columns and header != columns:
            raise InputError(f"{path}: other columns than {parts[0]}; remove it and make it again")
        columns = header
        rows += own
    write_rows(joined, columns, rows)
    return len(rows)


if __name__ == "__main__":
    with job(snakemake) as record:
        rows = join_tables(snakemake.input.parts, snakemake.output.predictions)
        record.images = {"in": rows, "out": rows}
