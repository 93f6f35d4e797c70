"""Tabulate every detector on every validation set, also beside the paper's table A5, and the annotated image sets."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bioscan1m.foundation.published import beside_paper, published
from bioscan1m.foundation.tables import write_table
from bioscan1m.jobs.context import job

DECIMALS = 4
PAIR = ["training_set", "val_set"]
FIGURES = ["ap_75", "ar_50_95"]
# The released code measures on wells with an insect alone: the paper's AP 75 is to be compared with the one without.
WELLS = ["ap_75_without_empty_wells", "empty_wells"]
# What the paper does not print; the fixed box is in the report alone.
ROUGH = ["ap_50", "mean_iou"]
FIXED_BOX = ["fixed_box_ap_75", "fixed_box_ar_50_95", "fixed_box_mean_iou"]


def tabulate_metrics(
    tables: Sequence[str | Path], metrics: str | Path, comparison: str | Path, *, paper_figures: bool = True
) -> None:
    """Join the one-row tables of single evaluations, in their order, and write them alone and beside the paper's.

    Where the paper has no such pair of image sets, its columns are empty, and so are WELLS and AP 50 in tables of
    earlier code. The latter table has the fixed box beside it too, and without `paper_figures` no column of the paper.
    """
    rows = [_read(table, PAIR) for table in tables]
    measured = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=PAIR)
    measured = measured.reindex(columns=PAIR + FIGURES + WELLS + ROUGH + FIXED_BOX)
    write_table(metrics, measured[PAIR + FIGURES + WELLS + ROUGH], DECIMALS)
    beside = measured.merge(published("tableA5_detector"), on=PAIR, how="left", suffixes=("", "_published"))
    columns = ["ap_75", WELLS[0], "ap_75_published", "ar_50_95", "ar_50_95_published", WELLS[1]]
    write_table(comparison, beside_paper(beside[PAIR + columns + ROUGH + FIXED_BOX], paper_figures), DECIMALS)


def join_counts(tables: Sequence[str | Path], joined: str | Path) -> None:
    """Join the one-row tables that count the annotations of the image sets, in their order."""
    rows = [_read(table, ["image_set"]) for table in tables]
    write_table(joined, pd.concat(rows) if rows else pd.DataFrame(columns=["image_set"]))


def _read(table: str | Path, names: Sequence[str]) -> pd.DataFrame:
    """A table of numbers, but for these columns of names: `NA` is one."""
    return pd.read_csv(table, sep="\t", dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=[""])


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        shown = params.get("paper_figures", True)
        tabulate_metrics(inputs.metrics, outputs.metrics, outputs.comparison, paper_figures=shown)
        join_counts(inputs.counts, outputs.image_sets)
