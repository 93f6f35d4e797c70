"""Fetch the zip of one chunk, or pack a local folder of images into it, and see that it is a whole zip."""

from bioscan1m.archives import list_members
from bioscan1m.fetch.fetching import check_zip, fetch
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake) as record:
        fetch(
            snakemake.params.source["source"],
            snakemake.output.chunk,
            snakemake.params.source.get("bytes"),
            snakemake.params.source["checksum"],
            check=check_zip,
            **snakemake.params.fetch,
        )
        record.images = {"out": len(list_members(snakemake.output.chunk))}
