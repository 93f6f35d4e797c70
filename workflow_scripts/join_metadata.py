"""Write the metadata with its split columns, in the published form."""

from bioscan1m.job import job
from bioscan1m.metadata.metadata_join import join_metadata

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = join_metadata(
            snakemake.input.metadata,
            snakemake.input.validated,
            snakemake.input.splits,
            snakemake.params.labels,
            snakemake.params.experiments,
            snakemake.output.metadata,
            snakemake.output.parquet,
        )
