"""Write the metadata with its split columns, in the published form."""

from bioscan1m.job import job
from bioscan1m.metadata.metadata_join import join_metadata

if __name__ == "__main__":
    with job(snakemake) as record:
        given = snakemake.input
        made = snakemake.output.metadata
        labels, threads = snakemake.params.labels, snakemake.threads
        record.images = join_metadata(given.metadata, given.roles, labels, made, threads)
