"""Draw how the loss of a detector fell in its training and, where it was monitored, how its precision rose."""

import pandas as pd

from bioscan1m.detector.detector_curves import draw_detector_training
from bioscan1m.figures import save_figure
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        history = pd.read_csv(snakemake.input.history, sep="\t")
        save_figure(draw_detector_training(history, snakemake.wildcards.detector), snakemake.output.figure)
