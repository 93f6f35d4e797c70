"""Classifiers of whole photographs against classifiers of crops, on the same split (paper, A7.3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from bioscan1m.experiments.experiment_figures import draw_curve
from bioscan1m.experiments.results_tables import describe_test, metrics_beside, results_table, split_name
from bioscan1m.published import published

CURVES = {"train_loss": "training loss", "micro_top1": "validation micro top-1"}
COLOURS = {"original": "#D55E00", "cropped": "#0072B2"}  # orange and blue, as in figure A11
PUBLISHED_ON = ("small", "resnet50", "ce")  # size, backbone and loss of table A6


def tabulate_comparison(tests: Sequence[dict[str, Any]], packages: Sequence[str]) -> pd.DataFrame:
    """One row per experiment and package: the test metrics in percent, beside those of table A6 where it has them.

    `tests` are the contents of test.json files, `packages` the package of each, such as `cropped_256`.
    """
    return results_table(
        [
            {"image_type": image_type(package), **describe_test(test), **metrics_beside(test, _table_a6(test, package))}
            for test, package in zip(tests, packages, strict=True)
        ]
    )


def draw_comparison(
    histories: Sequence[pd.DataFrame], validations: Sequence[dict[str, Any]], packages: Sequence[str]
) -> Figure:
    """Training loss and validation accuracy by epoch, one row of axes per experiment, one curve per package.

    `histories` are the tables of history.tsv files, `validations` the contents of the validation.json beside each.
    """
    experiments = list(dict.fromkeys(run["experiment"] for run in validations))
    figure = Figure(figsize=(9, 0.6 + 3.2 * len(experiments)), layout="constrained")
    rows = dict(zip(experiments, figure.subplots(len(experiments), len(CURVES), squeeze=False), strict=True))
    for history, run, package in zip(histories, validations, packages, strict=True):
        name = image_type(package)
        for axes, (column, title) in zip(rows[run["experiment"]], CURVES.items(), strict=True):
            draw_curve(axes, history, column, run["best_epoch"], name, COLOURS[name])
            axes.set(xlabel="epoch", title=f"{run['experiment']}: {title}")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set_xlim(left=0)
            axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def image_type(package: str) -> str:
    """What the paper calls the images of a package: original or cropped."""
    return package.split("_")[0]


def _table_a6(test: dict[str, Any], package: str) -> pd.DataFrame:
    """The row of table A6 in percent; none for another size, task, backbone or loss."""
    size, task = split_name(test["experiment"])
    table = published("tableA6_original_vs_cropped").set_index(["image_type", "task"]) * 100
    chosen = (table.index == (image_type(package), task)) & ((size, test["backbone"], test["loss"]) == PUBLISHED_ON)
    return table[chosen].round(2)
