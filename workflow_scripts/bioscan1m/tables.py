"""Tables as the results have them: TSV with a header, without an index, the same bytes everywhere."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioscan1m.atomic import write_text


def write_table(path: str | Path, table: pd.DataFrame, decimals: int | None = None) -> None:
    """Write a table; floats with so many decimals, or as many as they need."""
    form = None if decimals is None else f"%.{decimals}f"
    write_text(path, table.to_csv(sep="\t", index=False, float_format=form, lineterminator="\n"))
