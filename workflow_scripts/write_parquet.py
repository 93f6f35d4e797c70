"""Write the metadata with its split columns once more, as Parquet."""

from bioscan1m.job import job
from bioscan1m.metadata.metadata import write_metadata_parquet

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = write_metadata_parquet(snakemake.output.parquet, snakemake.input.metadata)
