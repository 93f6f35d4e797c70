"""Resize the images of one chunk, photographs or crops, to the size of the packages."""

from bioscan1m.job import job
from bioscan1m.package.resizing import resize_chunk

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = resize_chunk(
            snakemake.input.images,
            snakemake.output.shard,
            snakemake.output.quarantine,
            snakemake.params.resize,
            snakemake.wildcards.package,
            snakemake.wildcards.chunk,
            snakemake.params.keep_folders,
            snakemake.params.unreadable_limit,
            snakemake.threads,
        )
