"""A figure of prediction sets: the coverage of each class beside its images, and how large the sets are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bioscan1m.experiments.figures import COLOURS
from bioscan1m.foundation.figures import FULL_WIDTH
from bioscan1m.inference.coverage import ExperimentSets, LevelSets


def draw_coverage(experiments: Sequence[ExperimentSets], by_class: pd.DataFrame) -> Figure:
    """One row per experiment; `by_class` is the class_coverage of all.

    Left, a point for each class and level, hollow where the class shares its threshold. Right, the test images by the
    number of classes in their sets.
    """
    figure = Figure(figsize=(FULL_WIDTH, 0.6 + 2.6 * len(experiments)), layout="constrained")
    for row, sets in enumerate(experiments):
        left, right = (figure.add_subplot(len(experiments), 2, 2 * row + side) for side in (1, 2))
        _draw_classes(left, by_class[by_class["experiment"] == sets.experiment], sets.levels)
        _draw_sizes(right, sets.levels)
        left.set_title(sets.experiment, loc="left", fontsize=10)
    if experiments:
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper right", ncols=4, frameon=False)
    return figure


def _draw_classes(axes: Axes, classes: pd.DataFrame, levels: Sequence[LevelSets]) -> None:
    for sets, colour in zip(levels, COLOURS, strict=False):
        level = 100 * sets.level
        own = classes[(classes["level"] == level) & (classes["test_images"] > 0)]
        axes.axhline(level, color=colour, linestyle="--", linewidth=0.8)
        hollow = own["shared_threshold"] == "yes"
        for part, face in ((own[~hollow], colour), (own[hollow], "none")):
            axes.scatter(part["test_images"], part["coverage"], s=22, facecolors=face, edgecolors=colour, alpha=0.8)
        axes.scatter([], [], s=22, color=colour, label=f"level {level:g} %")
    most = max(10, classes["test_images"].max())
    axes.set(xscale="log", xlim=(0.8, 1.5 * most), ylim=(-4, 104))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter("")
    axes.set(xlabel="test images of the class", ylabel="coverage of the class, %")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_sizes(axes: Axes, levels: Sequence[LevelSets]) -> None:
    classes = levels[0].members.shape[1]
    width = 0.8 / len(levels)
    for place, (sets, colour) in enumerate(zip(levels, COLOURS, strict=False)):
        shares = 100 * np.bincount(sets.sizes, minlength=classes + 1) / len(sets.sizes)
        axes.bar(np.arange(classes + 1) - 0.4 + (place + 0.5) * width, shares, width, color=colour)
    axes.locator_params(axis="x", integer=True)
    axes.set(xlabel=f"classes in the set, of {classes}", ylabel="share of test images, %", xlim=(-0.6, classes + 0.6))
    axes.spines[["top", "right"]].set_visible(False)
