"""Tabulate the released classifiers on the test images beside the paper's table 5."""

from bioscan1m.experiments.experiment_results import read_results
from bioscan1m.experiments.results_tables import summarise_released
from bioscan1m.job import job
from bioscan1m.tables import write_table

if __name__ == "__main__":
    with job(snakemake):
        tests = read_results(snakemake.input.tests)
        write_table(snakemake.output.table, summarise_released(tests, snakemake.params.checkpoints))
