"""Validate the source metadata and write what the splits need of it, with the table of what is doubtful in it."""

from bioscan1m.job import job
from bioscan1m.metadata.metadata_validation import validate_metadata

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = validate_metadata(
            snakemake.input.metadata,
            snakemake.params.chunks,
            snakemake.params.labels,
            snakemake.params.experiments,
            snakemake.output.metadata,
            snakemake.output.warnings,
            snakemake.threads,
        )
