"""Describe the dataset and its published files as schema.org JSON-LD and as Croissant."""

from bioscan1m.job import job
from bioscan1m.metadata.dataset_description import describe_dataset

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = describe_dataset(
            snakemake.input.metadata,
            snakemake.input.packages,
            snakemake.params.attributes,
            snakemake.params.experiments,
            snakemake.output.jsonld,
            snakemake.output.croissant,
        )
