"""Validate the source metadata and write what the splits need of it, with the table of what is doubtful in it."""

from bioscan1m.jobs.context import job
from bioscan1m.metadata.relabelling import Relabelling
from bioscan1m.metadata.validation import validate_metadata

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        record.images = validate_metadata(
            inputs.metadata,
            chunks=params.chunks,
            labels=params.labels,
            experiments=params.experiments,
            validated=outputs.metadata,
            warnings=outputs.warnings,
            threads=snakemake.threads,
            relabelling=Relabelling.from_config(params.get("relabelling")),
            group=params.get("group"),
        )
