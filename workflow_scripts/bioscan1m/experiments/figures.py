"""Figures of the experiments: training curves, accuracy by class (figure 5), confusions (A1 and A2), calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from bioscan1m.experiments.intervals import share_interval
from bioscan1m.experiments.metrics import CALIBRATION_BINS
from bioscan1m.experiments.results import Result, name_model
from bioscan1m.foundation.figures import FULL_WIDTH, MOST_CLASSES, literal

# Okabe and Ito 2008: told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
CURVES = {"train_loss": "training loss", "validation_loss": "validation loss", "micro_top1": "validation micro top-1"}
# Of the colours of a confusion matrix: below 1, so that a few percent of confusion can be seen.
COLOUR_EXPONENT = 0.5
SMALLEST_SHARE_WRITTEN = 0.005
# Inches of a cell of a confusion matrix: as wide as the page allows, between these.
SMALLEST_CELL, LARGEST_CELL = 0.2, 0.36
# Of more classes than this, the lower edge of a confusion matrix is out of sight when one reads its upper rows.
CLASSES_NAMED_ONCE = 20


def draw_training_curves(histories: Sequence[pd.DataFrame], validations: Sequence[Result]) -> Figure:
    """Losses and accuracy by epoch; one colour per trial, one line per seed, a dot at the best epoch.

    `histories` are the tables of history.tsv files, `validations` the contents of the validation.json beside each.
    """
    trials = list(dict.fromkeys(f"{run['backbone']}, {run['loss']}" for run in validations))
    figure = Figure(figsize=(FULL_WIDTH, 3.8), layout="constrained")
    for axes, (column, title) in zip(figure.subplots(1, len(CURVES)), CURVES.items(), strict=True):
        for history, run in zip(histories, validations, strict=True):
            trial = f"{run['backbone']}, {run['loss']}"
            colour = COLOURS[trials.index(trial) % len(COLOURS)]
            draw_curve(axes, history, column, best_epoch=run["best_epoch"], name=trial, colour=colour)
        axes.set(xlabel="epoch", title=title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles), frameon=False)
    figure.suptitle(validations[0]["experiment"])
    return figure


def draw_class_accuracy(test: Result) -> Figure:
    """Bars of top-1 test accuracy, classes with most test images first (figure 5). `test` is that of test.json.

    Of many classes MOST_CLASSES are drawn.
    """
    classes = [row for row in _by_images(test) if row["images"]]
    places, shares = range(len(classes)), [100 * row["accuracy"] for row in classes]
    figure = Figure(figsize=(8, 1.6 + 0.23 * len(classes)), layout="constrained")
    axes = figure.subplots()
    intervals = [share_interval(round(row["accuracy"] * row["images"]), row["images"]) for row in classes]
    ends = 100 * np.array(intervals).reshape(-1, 2).T
    reach = np.abs(ends - np.array(shares))
    axes.barh(places, shares, color=COLOURS[0], height=0.75, xerr=reach, error_kw={"linewidth": 0.8})
    for place, share, row in zip(places, shares, classes, strict=True):
        axes.text(102, place, f"{share:.1f}  ({row['images']:,} images)", va="center", fontsize=8)
    axes.axvline(100 * test["metrics"]["macro_top1"], color=COLOURS[1], linestyle="--", label="mean of the classes")
    axes.set_yticks(places, [literal(row["class"]) for row in classes], fontsize=9)
    axes.set(xlim=(0, 130), ylim=(len(classes) - 0.4, -0.6), xlabel="top-1 accuracy on the test set, percent")
    axes.set_xticks(range(0, 101, 20))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower right", frameon=False)
    figure.suptitle(_title(test) + _of_all(test))
    return figure


def draw_confusion_matrix(test: Result) -> Figure:
    """Shares of each true class (rows) that are predicted as each class (columns), in percent, as figures A1 and A2.

    Of many classes the MOST_CLASSES with most test images are drawn; shares are of all images of the true class.
    """
    order = [test["classes"].index(row["class"]) for row in _by_images(test)]
    counts = np.array(test["confusion_matrix"])
    images = counts.sum(axis=1)[order]
    shares = counts[np.ix_(order, order)] / np.maximum(images[:, None], 1)
    names = [literal(test["classes"][place]) for place in order]
    cell = min(LARGEST_CELL, max(SMALLEST_CELL, (FULL_WIDTH - 3) / len(names)))
    side = 2.4 + cell * len(names)
    figure = Figure(figsize=(side + 1, side), layout="compressed")  # for axes whose cells are square
    axes = figure.subplots()
    norm = PowerNorm(COLOUR_EXPONENT, vmin=0, vmax=1)
    image = axes.imshow(shares, cmap="Blues", norm=norm)
    for (row, column), share in np.ndenumerate(shares):
        if share >= SMALLEST_SHARE_WRITTEN:
            colour = "white" if share > 0.3 else "black"
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), [f"{name} ({n:,})" for name, n in zip(names, images, strict=True)])
    axes.set_xticks(np.arange(len(names)) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(names)) + 0.5, minor=True)
    axes.grid(which="minor", color="#dddddd", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    axes.tick_params(which="major", labelsize=9, labeltop=len(names) > CLASSES_NAMED_ONCE)
    axes.tick_params(axis="x", which="major", labelrotation=90)
    axes.set(xlabel="predicted class", ylabel="true class (test images)")
    axes.set_title(_title(test) + _of_all(test), fontsize=10)
    figure.colorbar(
        image, ax=axes, fraction=0.03, shrink=0.5, label="share of the true class", ticks=[0, 0.01, 0.1, 0.25, 0.5, 1]
    )
    return figure


def draw_reliability(test: Result) -> Figure:
    """Accuracy of the predictions by their confidence, and how many images have that confidence (Guo et al. 2017)."""
    bins = pd.DataFrame(test["reliability_curve"])
    figure = Figure(figsize=(5.5, 6.2), layout="constrained")
    curve, counts = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    curve.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="accuracy as confident")
    curve.plot(bins["confidence"], bins["accuracy"], "o-", color=COLOURS[0], markersize=5, label=test["experiment"])
    curve.set(ylabel="accuracy", ylim=(-0.02, 1.02))
    curve.legend(frameon=False, loc="upper left")
    centres = (np.ceil(bins["confidence"] * CALIBRATION_BINS) - 0.5) / CALIBRATION_BINS
    counts.bar(centres, bins["images"], width=0.9 / CALIBRATION_BINS, color=COLOURS[0])
    counts.set(xlabel="confidence: the largest probability of an image", ylabel="images", xlim=(-0.02, 1.02))
    counts.set_yscale("log")
    counts.yaxis.set_major_formatter("{x:,.0f}")
    counts.set_ylim(bottom=0.7)  # so that one image can be seen
    for axes in (curve, counts):
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
    error = test["metrics"]["calibration_error"]
    figure.suptitle(f"{_title(test)}\nexpected calibration error {100 * error:.1f} %", fontsize=10)
    return figure


def draw_curve(axes: Axes, history: pd.DataFrame, column: str, best_epoch: int, name: str, colour: str) -> None:
    """Draw a column of history.tsv by epoch.

    Args:
        axes: to draw on.
        history: the table of a history.tsv.
        column: its column.
        best_epoch: gets a dot.
        name: of the curve, in the legend.
        colour: of the curve and the dot.
    """
    axes.plot(history["epoch"], history[column], color=colour, linewidth=1.2, alpha=0.8, label=name)
    best = history[history["epoch"] == best_epoch]
    axes.plot(best["epoch"], best[column], "o", color=colour, markersize=4)


def _by_images(test: Result) -> list[Result]:
    """The first MOST_CLASSES classes with their numbers of test images and accuracies, most images first."""
    return sorted(test["per_class"], key=lambda row: (-row["images"], row["class"]))[:MOST_CLASSES]


def _of_all(test: Result) -> str:
    """A line of a title: which classes are drawn, where these are not all."""
    classes = len(test["per_class"])
    return f"\nthe {MOST_CLASSES} classes with most test images, of {classes:,}" if classes > MOST_CLASSES else ""


def _title(test: Result) -> str:
    trial = f"{test['experiment']}: {test['backbone']}, {test['loss']}, seed {test['seed']}"
    return f"{trial}\n({literal(name_model(test['model']))})"
