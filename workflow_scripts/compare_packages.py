"""Set classifiers that see whole photographs against those that see the crops: table A6 and figure A11 of the paper."""

import pandas as pd

from bioscan1m.experiments.experiment_results import read_results
from bioscan1m.experiments.package_comparison import draw_comparison, tabulate_comparison
from bioscan1m.figures import save_figure
from bioscan1m.job import job
from bioscan1m.tables import write_table

if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, packages = snakemake.input, snakemake.output, snakemake.params.packages
        histories = [pd.read_csv(file, sep="\t") for file in inputs.histories]
        write_table(outputs.table, tabulate_comparison(read_results(inputs.tests), packages))
        save_figure(draw_comparison(histories, read_results(inputs.validations), packages), outputs.figure)
