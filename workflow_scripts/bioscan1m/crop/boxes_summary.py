"""What the detector found in the chunks, in numbers and as distributions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioscan1m.detector.boxes_table import BELOW_THRESHOLD, DETECTED, FLAGS, UNREADABLE
from bioscan1m.figures import FULL_WIDTH

ALL = "all"
# Column of the boxes table -> what its axis says, and whether the axis is logarithmic.
MEASURES = {
    "score": ("score of the box", False),
    "box_share": ("share of the photograph that the box covers", True),
    "sharpness": ("sharpness (variance of the Laplacian)", True),
}
BINS = 60
# Okabe and Ito 2008: told apart with any colour vision.
COLOURS = {DETECTED: "#0072B2", BELOW_THRESHOLD: "#D55E00"}


def summarise_boxes(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per chunk and one of all: images by status, detected ones by flag, medians of the measures.

    `tables` are the boxes tables by chunk.
    """
    everything = {**tables, ALL: pd.concat(tables.values())}
    return pd.DataFrame([{"chunk": chunk, **_counts(table), **_medians(table)} for chunk, table in everything.items()])


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
        axes.hist(list(groups.values()), edges, stacked=True, color=list(COLOURS.values()), label=names)
    if logarithmic:
        axes.set_xscale("log")


def _counts(table: pd.DataFrame) -> dict[str, int]:
    detected = table[table["status"] == DETECTED]
    by_status = {status: int((table["status"] == status).sum()) for status in (DETECTED, BELOW_THRESHOLD, UNREADABLE)}
    return {"images": len(table), **by_status, **{flag: int(detected[flag].sum()) for flag in FLAGS}}


def _medians(table: pd.DataFrame) -> dict[str, float]:
    medians = table[list(MEASURES)].median()
    return {f"median_{measure}": float(f"{medians[measure]:.4g}") for measure in MEASURES}
