"""Describe the dataset and its published files as schema.org JSON-LD and as Croissant."""

from bioscan1m.jobs.context import job
from bioscan1m.metadata.description import describe_dataset

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        record.images = describe_dataset(
            inputs.metadata,
            packages=inputs.packages,
            attributes=params.attributes,
            experiments=params.experiments,
            jsonld=outputs.jsonld,
            croissant=outputs.croissant,
        )
