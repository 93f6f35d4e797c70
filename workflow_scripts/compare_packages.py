"""Set classifiers that see whole photographs against those that see the crops: table A6 and figure A11 of the paper."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from bioscan1m.experiments.figures import draw_curve
from bioscan1m.experiments.results import Result, read_results
from bioscan1m.experiments.results_tables import metrics_beside, results_table, split_name, tested_model
from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.published import beside_paper, published
from bioscan1m.foundation.tables import write_table
from bioscan1m.jobs.context import job

CURVES = {"train_loss": "training loss", "micro_top1": "validation micro top-1"}
COLOURS = {"original": "#D55E00", "cropped": "#0072B2"}  # orange and blue, as in figure A11
PUBLISHED_ON = ("small", "resnet50", "ce")  # size, backbone and loss of table A6


def tabulate_comparison(
    tests: Sequence[Result], validations: Sequence[Result], packages: Sequence[str]
) -> pd.DataFrame:
    """One row per experiment and package: metrics in percent, beside those of table A6 where it has them.

    The printer of the released code takes the last epoch on the validation images for that table, so the paper's
    figures stand beside these; the test of the best epoch has none.

    Args:
        tests: the contents of test.json files.
        validations: the contents of the validation.json of each.
        packages: the package of each, such as `cropped_256`.

    Returns:
        The table.
    """
    return results_table(
        [
            {
                "image_type": image_type(package),
                **tested_model(test),
                **_last_epoch(validation, package),
                **_tested(test),
            }
            for test, validation, package in zip(tests, validations, packages, strict=True)
        ]
    )


def _last_epoch(validation: Result, package: str) -> dict[str, float | None]:
    """The validation metrics of the last epoch beside table A6; none of a run by earlier code, which lacks them."""
    measured = {**validation, "metrics": validation.get("last_epoch_metrics", {})}
    beside = metrics_beside(measured, _table_a6(validation, package))
    return {f"validation_{name}": value for name, value in beside.items()}


def _tested(test: Result) -> dict[str, float | None]:
    return {f"test_{name}": value for name, value in metrics_beside(test, pd.DataFrame()).items()}


def draw_comparison(
    histories: Sequence[pd.DataFrame], validations: Sequence[Result], packages: Sequence[str]
) -> Figure:
    """Draw training loss and validation accuracy by epoch, one row of axes per experiment, one curve per package.

    Args:
        histories: the tables of history.tsv files.
        validations: the contents of the validation.json beside each.
        packages: the package of each, such as `cropped_256`.

    Returns:
        The figure.
    """
    experiments = list(dict.fromkeys(run["experiment"] for run in validations))
    figure = Figure(figsize=(9, 0.6 + 3.2 * len(experiments)), layout="constrained")
    rows = dict(zip(experiments, figure.subplots(len(experiments), len(CURVES), squeeze=False), strict=True))
    for history, run, package in zip(histories, validations, packages, strict=True):
        name = image_type(package)
        for axes, (column, title) in zip(rows[run["experiment"]], CURVES.items(), strict=True):
            draw_curve(axes, history, column, best_epoch=run["best_epoch"], name=name, colour=COLOURS[name])
            axes.set(xlabel="epoch", title=f"{run['experiment']}: {title}")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(alpha=0.3)
    for axes in figure.axes:
        axes.set_xlim(left=0)  # after the last curve: it ends the scaling to what is drawn
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def image_type(package: str) -> str:
    """What the paper calls the images of a package: original or cropped."""
    return package.split("_")[0]


def _table_a6(run: Result, package: str) -> pd.DataFrame:
    """The row of table A6 in percent; none for another size, task, backbone or loss."""
    size, task = split_name(run["experiment"])
    table = published("tableA6_original_vs_cropped").set_index(["image_type", "task"]) * 100
    chosen = (table.index == (image_type(package), task)) & ((size, run["backbone"], run["loss"]) == PUBLISHED_ON)
    return table[chosen].round(2)


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        packages = params.packages
        histories = [pd.read_csv(file, sep="\t") for file in inputs.histories]
        validations = read_results(inputs.validations)
        table = tabulate_comparison(read_results(inputs.tests), validations, packages)
        write_table(outputs.table, beside_paper(table, params.get("paper_figures", True)))
        save_figure(draw_comparison(histories, validations, packages), outputs.figure)
