"""Compare the rows of the metadata with the images that the chunks truly hold."""

from bioscan1m.job import job
from bioscan1m.reconciliation import reconcile_images

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = reconcile_images(
            snakemake.input.metadata, snakemake.input.boxes, snakemake.params.chunks, snakemake.output.reconciliation
        )
