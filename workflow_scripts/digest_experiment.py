"""Digest the images, roles and labels of one experiment."""

from bioscan1m.experiments.experiment_digest import digest_experiment
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = digest_experiment(
            snakemake.input.split, snakemake.input.package, snakemake.wildcards.experiment, snakemake.output.digest
        )
