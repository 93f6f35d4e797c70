"""The tables of the detectors: precision and recall on every validation set, the same beside table A5, image sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bioscan1m.published import published
from bioscan1m.tables import write_table

DECIMALS = 4
PAIR = ["training_set", "val_set"]
FIGURES = ["ap_75", "ar_50_95"]
# Beside them in the report: what the paper does not print.
MORE = ["mean_iou", "fixed_box_ap_75", "fixed_box_ar_50_95", "fixed_box_mean_iou"]


def tabulate_metrics(tables: Sequence[str | Path], metrics: str | Path, comparison: str | Path) -> None:
    """Join the one-row tables of single evaluations, in their order, and write them alone and beside the paper's.

    Where the paper has no such pair of image sets, its columns are empty. The latter has the fixed box beside it too.
    """
    rows = [pd.read_csv(table, sep="\t", dtype=dict.fromkeys(PAIR, "str")) for table in tables]
    measured = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=PAIR + FIGURES + MORE)
    write_table(metrics, measured[PAIR + FIGURES], DECIMALS)
    beside = measured.merge(published("tableA5_detector"), on=PAIR, how="left", suffixes=("", "_published"))
    columns = [column for figure in FIGURES for column in (figure, f"{figure}_published")]
    write_table(comparison, beside[PAIR + columns + MORE], DECIMALS)


def join_counts(tables: Sequence[str | Path], joined: str | Path) -> None:
    """Join the one-row tables that count the annotations of the image sets, in their order."""
    rows = [pd.read_csv(table, sep="\t", dtype={"image_set": "str"}) for table in tables]
    write_table(joined, pd.concat(rows) if rows else pd.DataFrame(columns=["image_set"]))
