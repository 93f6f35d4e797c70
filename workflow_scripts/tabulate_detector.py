"""Tabulate every detector on every validation set, also beside the paper's table A5, and the annotated image sets."""

from bioscan1m.detector.detector_table import join_counts, tabulate_metrics
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        given, made = snakemake.input, snakemake.output
        tabulate_metrics(given.metrics, made.metrics, made.comparison)
        join_counts(given.counts, made.image_sets)
