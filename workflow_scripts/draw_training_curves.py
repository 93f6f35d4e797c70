"""Draw losses and accuracy by epoch of all trials of one experiment."""

import pandas as pd
from bioscan1m.experiment_figures import draw_training_curves
from bioscan1m.experiment_results import read_results
from bioscan1m.figures import save_figure
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        histories = [pd.read_csv(file, sep="\t") for file in snakemake.input.histories]
        figure = draw_training_curves(histories, read_results(snakemake.input.validations))
        save_figure(figure, snakemake.output.figure)
