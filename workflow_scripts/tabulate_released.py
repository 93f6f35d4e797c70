"""Tabulate the released classifiers on the test images beside the paper's table 5."""

from bioscan1m.experiments.results import read_results
from bioscan1m.experiments.results_tables import summarise_released
from bioscan1m.foundation.published import beside_paper
from bioscan1m.foundation.tables import write_table
from bioscan1m.jobs.context import job

if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        tests = read_results(inputs.tests)
        table = summarise_released(tests, params.checkpoints)
        write_table(outputs.table, beside_paper(table, params.get("paper_figures", True)))
