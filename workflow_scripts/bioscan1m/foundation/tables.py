"""Tables as the results have them: TSV with a header, without an index, the same bytes everywhere; and Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from bioscan1m.foundation.atomic import write_aside, write_text
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.recipe_hook import recipe_of_job

if TYPE_CHECKING:  # where a trace needs no table of it, for it takes long to import
    import pandas as pd


def write_table(path: str | Path, table: pd.DataFrame, decimals: int | None = None) -> None:
    """Write a table; floats with so many decimals, or as many as they need."""
    form = None if decimals is None else f"%.{decimals}f"
    write_text(path, table.to_csv(sep="\t", index=False, float_format=form, lineterminator="\n"))


@contextmanager
def parquet_writer(path: str | Path, schema: pa.Schema, **options: Any) -> Iterator[pq.ParquetWriter]:
    """A writer of tables of this schema; `options` are pyarrow's. At the end comes the job's recipe."""
    with write_aside(path) as part, pq.ParquetWriter(part, schema, **options) as writer:
        yield writer
        writer.add_key_value_metadata(recipe_of_job())


def write_parquet(path: str | Path, table: pa.Table, rows_per_group: int | None = None) -> None:
    """Write a table, compressed, with the metadata of its schema."""
    with parquet_writer(path, table.schema, compression="zstd") as writer:
        writer.write_table(table, rows_per_group)


def read_parquet(path: str | Path, columns: list[str] | None = None, schema: pa.Schema | None = None) -> pa.Table:
    """Read a Parquet table, or some of its columns. Raises InputError that names the file where it is damaged."""
    try:
        table = pq.read_table(path, columns=columns, schema=schema)
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: not a readable table ({reason}); remove it, and the next run makes it again"
        ) from None
    return table
