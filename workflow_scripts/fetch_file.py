"""Fetch one file as it is: the source metadata, annotations, a checkpoint."""

from bioscan1m.fetch.fetching import fetch
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        fetch(
            snakemake.params.source["source"],
            snakemake.output.file,
            checksum=snakemake.params.source["checksum"],
            **snakemake.params.fetch,
        )
