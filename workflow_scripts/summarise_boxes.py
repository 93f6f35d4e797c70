"""Count what the detector found in all chunks, and draw how sure, how large and how sharp the boxes are."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioscan1m.boxes.table import BELOW_THRESHOLD, BLANK, DETECTED, FLAGS, UNREADABLE, read_boxes
from bioscan1m.foundation.figures import FULL_WIDTH, save_figure
from bioscan1m.foundation.tables import write_table
from bioscan1m.jobs.context import job

ALL = "all"
# Column of the boxes table -> label of its axis, and whether the axis is logarithmic.
MEASURES = {
    "score": ("score of the box", False),
    "box_share": ("share of the photograph that the box covers", True),
    "sharpness": ("sharpness (variance of the Laplacian)", True),
}
BINS = 60
# Okabe and Ito 2008: distinguishable with any colour vision.
COLOURS = {DETECTED: "#0072B2", BELOW_THRESHOLD: "#D55E00"}


def summarise_boxes(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per chunk and one of all: images by status, detected ones by flag, medians of the measures.

    `tables` are the boxes tables by chunk.
    """
    everything = [*tables.items(), (ALL, pd.concat(tables.values()))]  # a chunk may be called so too
    return pd.DataFrame([{"chunk": chunk, **_counts(table), **_medians(table)} for chunk, table in everything])


def draw_measures(boxes: pd.DataFrame) -> Figure:
    """Histograms of score, size and sharpness of the boxes, those below the threshold apart."""
    figure = Figure(figsize=(FULL_WIDTH, 3.6), layout="constrained")
    for axes, (measure, (label, logarithmic)) in zip(figure.subplots(1, len(MEASURES)), MEASURES.items(), strict=True):
        _draw_histogram(axes, boxes, measure, logarithmic)
        axes.set(xlabel=label, ylabel="images")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
    return figure


def _draw_histogram(axes: Axes, boxes: pd.DataFrame, measure: str, logarithmic: bool) -> None:
    groups = {status: boxes.loc[boxes["status"] == status, measure].dropna() for status in COLOURS}
    if logarithmic:
        groups = {status: values[values > 0] for status, values in groups.items()}
    every = np.concatenate([values.to_numpy(dtype=float) for values in groups.values()])
    if len(every):
        low, high = every.min(), max(every.max(), every.min() * 1.01 + 1e-9)
        edges = np.geomspace(low, high, BINS) if logarithmic else np.linspace(0, 1, BINS)
        names = [f"{status.replace('_', ' ')} ({len(values):,})" for status, values in groups.items()]
        axes.hist(list(groups.values()), edges.tolist(), stacked=True, color=list(COLOURS.values()), label=names)
    if logarithmic:
        axes.set_xscale("log")


def _counts(table: pd.DataFrame) -> dict[str, int]:
    detected = table[table["status"] == DETECTED]
    flags = {flag: int((table if flag == BLANK else detected)[flag].sum()) for flag in FLAGS}
    by_status = {status: int((table["status"] == status).sum()) for status in (DETECTED, BELOW_THRESHOLD, UNREADABLE)}
    return {"images": len(table), **by_status, **flags}


def _medians(table: pd.DataFrame) -> dict[str, float]:
    medians = table[list(MEASURES)].median()
    return {f"median_{measure}": float(f"{medians[measure]:.4g}") for measure in MEASURES}


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        tables = {chunk: read_boxes(path) for chunk, path in zip(params.chunks, inputs.boxes, strict=True)}
        write_table(outputs.summary, summarise_boxes(tables))
        boxes = pd.concat(tables.values())
        save_figure(draw_measures(boxes), outputs.figure)
        record.images = {"in": len(boxes)}
