"""The table of average precision and recall of every detector on every validation set, and the same beside table A5."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bioscan1m.atomic import write_text
from bioscan1m.published import published

PAIR = ["training_set", "val_set"]
FIGURES = ["ap_75", "ar_50_95"]


def tabulate_metrics(tables: Sequence[str | Path], metrics: str | Path, comparison: str | Path) -> None:
    """Join the one-row tables of single evaluations, in their order, and write them alone and beside the paper's.

    Where the paper has no such pair of image sets, its columns are empty.
    """
    rows = [pd.read_csv(table, sep="\t", dtype=dict.fromkeys(PAIR, "str")) for table in tables]
    measured = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=PAIR + FIGURES)
    measured = measured[PAIR + FIGURES]
    _write(metrics, measured)
    beside = measured.merge(published("tableA5_detector"), on=PAIR, how="left", suffixes=("", "_published"))
    columns = [column for figure in FIGURES for column in (figure, f"{figure}_published")]
    _write(comparison, beside[PAIR + columns])


def _write(path: str | Path, table: pd.DataFrame) -> None:
    write_text(path, table.to_csv(sep="\t", index=False, float_format="%.4f", lineterminator="\n"))
