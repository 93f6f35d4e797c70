"""Count labels, classes, roles and what train and test share, beside the paper's figures, and draw the classes."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bioscan1m.foundation.figures import MOST_CLASSES, literal, save_figure
from bioscan1m.foundation.published import beside_paper
from bioscan1m.foundation.tables import write_table
from bioscan1m.jobs.context import job
from bioscan1m.metadata.duplicates import read_duplicates
from bioscan1m.metadata.split_rule import ROLES
from bioscan1m.metadata.statistics import (
    class_table,
    imbalance_table,
    label_table,
    largest_experiments,
    leakage_table,
    read_metadata,
    split_table,
    suspicion_table,
)
from bioscan1m.metadata.table import read_tsv

BAR_COLOUR = "#BFD4E6"
# Okabe and Ito 2008: distinct with any colour vision.
ROLE_COLOURS = {"train": "#0072B2", "validation": "#E69F00", "test": "#D55E00"}
# Points of equal counts lie side by side, as fractions of a bar's place.
ROLE_OFFSETS = {"train": -0.2, "validation": 0.0, "test": 0.2}
INCHES_PER_CLASS = 0.22
INCHES_AROUND = 1.3  # title and axis of one panel


def read_duplicates_of(metadata: str | Path, duplicates: str | Path) -> pd.DataFrame:
    """The groups of copies of the rows of the metadata, in their order."""
    return read_duplicates(duplicates, read_tsv(metadata, ["image_file"])["image_file"].to_pandas())


def draw_class_distribution(classes: pd.DataFrame, experiments: dict[str, str]) -> Figure:
    """One panel per column of labels, of its experiment with most images; largest class first, MOST_CLASSES at most.

    `classes` is the class table, `experiments` maps each experiment to its column of labels.
    """
    panels = {name: classes[classes["experiment"] == name] for name in largest_experiments(classes, experiments)}
    heights = [INCHES_AROUND + INCHES_PER_CLASS * min(len(table), MOST_CLASSES) for table in panels.values()]
    figure = Figure(figsize=(9, sum(heights) or INCHES_AROUND), layout="constrained")
    if not panels:
        figure.suptitle("No experiment has images")
        return figure
    rows = figure.subplots(len(panels), squeeze=False, sharex=True, height_ratios=heights)
    for axes, (name, table) in zip(rows[:, 0], panels.items(), strict=True):
        _draw_panel(axes, name, table)
    largest = max(table["images"].max() for table in panels.values())
    rows[0, 0].set_xlim(0.8, 6 * largest)  # with room for the number behind the longest bar
    handles, labels = rows[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels), frameon=False)
    return figure


def _draw_panel(axes: Axes, name: str, classes: pd.DataFrame) -> None:
    table = classes.head(MOST_CLASSES)
    which = "" if len(table) == len(classes) else f", of which the {len(table)} largest"
    places = np.arange(len(table))
    axes.barh(places, table["images"], color=BAR_COLOUR, height=0.8, label="all images")
    for role in ROLES:
        axes.plot(table[role], places + ROLE_OFFSETS[role], "o", color=ROLE_COLOURS[role], markersize=3.5, label=role)
    for place, images in zip(places, table["images"], strict=True):
        axes.annotate(f"{images:,}", (images, place), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_xscale("log")
    axes.tick_params(labelbottom=True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda images, _: f"{images:,.0f}"))
    axes.set_yticks(places, table["class"].map(literal), fontsize=9)
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    title = f"{name}: {classes['images'].sum():,} images, {len(classes):,} classes{which}"
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel("images (logarithmic)")


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        experiments = params.experiments
        metadata = read_metadata(inputs.metadata, experiments)
        classes = class_table(metadata, experiments)
        duplicates = read_duplicates_of(inputs.metadata, inputs.duplicates[0]) if inputs.duplicates else None
        tables = {
            outputs.labels: label_table(metadata),
            outputs.imbalance: imbalance_table(metadata, classes),
            outputs.splits: split_table(classes, experiments),
            outputs.distribution: classes,
            outputs.leakage: leakage_table(metadata, experiments, duplicates),
            outputs.suspicious: suspicion_table(metadata, experiments.values()),
        }
        for path, table in tables.items():
            write_table(path, beside_paper(table, params.get("paper_figures", True)))
        save_figure(draw_class_distribution(classes, experiments), outputs.figure)
        record.images = {"in": len(metadata)}
