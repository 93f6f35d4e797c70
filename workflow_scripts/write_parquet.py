"""Write the metadata with its split columns once more, as Parquet."""

from bioscan1m.jobs.context import job
from bioscan1m.metadata.table import write_metadata_parquet

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs = snakemake.input, snakemake.output
        record.images = write_metadata_parquet(outputs.parquet, inputs.metadata)
