"""Write the rows of the metadata as JSON-LD, as the released file has them: a list of objects named by the columns.

Each record is one line of the list, so that line tools and readers that stream can do without a parser of the whole.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from bioscan1m.foundation.atomic import write_aside
from bioscan1m.jobs.context import job
from bioscan1m.metadata.table import map_tsv


def write_jsonld_records(path: str | Path, metadata: str | Path) -> dict[str, int]:
    """Write a metadata TSV as JSON-LD; every value stays a string. A few pieces of the table are in memory.

    Returns the count of rows. Raises InputError where the table cannot be read.
    """
    rows = 0
    with write_aside(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write("[")
        for lines in map_tsv(_records, metadata):
            for line in lines:
                file.write(f"{',' if rows else ''}\n{line}")
                rows += 1
        file.write("\n]\n")
    return {"in": rows, "out": rows}


def _records(piece: pa.Table) -> list[str]:
    """The rows of a piece of the table, each as a JSON object in one line."""
    return [json.dumps(record, ensure_ascii=False) for record in _rows(piece)]


def _rows(piece: pa.Table) -> Iterator[dict[str, str]]:
    columns = [column.to_pylist() for column in piece.columns]
    for values in zip(*columns, strict=True):
        yield dict(zip(piece.column_names, values, strict=True))


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs = snakemake.input, snakemake.output
        record.images = write_jsonld_records(outputs.records, inputs.metadata)
