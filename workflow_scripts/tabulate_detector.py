"""Tabulate the precision and recall of every detector on every validation set, also beside the paper's table A5."""

from bioscan1m.detector_table import tabulate_metrics
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        tabulate_metrics(snakemake.input.metrics, snakemake.output.metrics, snakemake.output.comparison)
