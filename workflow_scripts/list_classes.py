"""List the classes of one experiment, and stop where there are too few to train a classifier."""

from bioscan1m.experiments.experiment_classes import list_classes
from bioscan1m.job import job
from bioscan1m.tables import write_table

if __name__ == "__main__":
    with job(snakemake):
        given = snakemake.input.split, snakemake.wildcards.experiment, snakemake.params.label
        write_table(snakemake.output.classes, list_classes(*given))
