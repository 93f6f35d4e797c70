"""Fetch one file as it is: the source metadata, annotations, a checkpoint."""

from bioscan1m.fetch.verified import fetch
from bioscan1m.jobs.context import job

if __name__ == "__main__":
    with job(snakemake):
        outputs, params = snakemake.output, snakemake.params
        fetch(
            params.source["source"],
            outputs.file,
            checksum=params.source["checksum"],
            **params.fetch,
        )
