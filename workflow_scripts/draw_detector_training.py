"""Draw how the loss of a detector fell in its training and, where it was monitored, how its precision rose."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from bioscan1m.foundation.figures import save_figure
from bioscan1m.jobs.context import job

MEASURED = {"mean_iou": "mean IoU of the best box", "ar_50_95": "AR, IoU 0.50 to 0.95", "ap_75": "AP, IoU 0.75"}
# The terms of DETR's loss; other families of detectors have further ones, under transformers' names.
LOSSES = {
    "loss": "loss",
    "loss_ce": "class: cross-entropy",
    "loss_vfl": "class: varifocal",
    "loss_bbox": "box: L1",
    "loss_giou": "box: 1 - generalised IoU",
}
# Okabe and Ito 2008: distinguishable with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def draw_detector_training(history: pd.DataFrame, detector: str) -> Figure:
    """Curves of the table history.tsv; the right panel only where an image set was monitored."""
    measured = {column: title for column, title in MEASURED.items() if column in history}
    losses = {column: LOSSES.get(column, column) for column in history if column.startswith("loss")}
    figure = Figure(figsize=(10 if measured else 5.5, 3.8), layout="constrained")
    panels = figure.subplots(1, 2 if measured else 1, squeeze=False)[0]
    _draw(panels[0], history, losses, "training loss and its terms")
    panels[0].set_yscale("log")
    panels[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panels[0].yaxis.set_major_formatter("{x:g}")
    panels[0].yaxis.set_minor_formatter("")
    if measured:
        _draw(panels[1], history, measured, "on the monitored image set")
        panels[1].set_ylim(0, 1)
    figure.suptitle(detector)
    return figure


def _draw(axes: Axes, history: pd.DataFrame, columns: dict[str, str], title: str) -> None:
    for (column, label), colour in zip(columns.items(), COLOURS, strict=False):
        axes.plot(history["epoch"], history[column], color=colour, label=label, marker="." if len(history) < 2 else "")
    axes.set(xlabel="epoch", title=title)
    axes.set_xlim(0.5, len(history) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=8)


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs = snakemake.input, snakemake.output
        history = pd.read_csv(inputs.history, sep="\t")
        save_figure(draw_detector_training(history, snakemake.wildcards.detector), outputs.figure)
