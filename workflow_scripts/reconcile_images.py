"""Compare the rows of the metadata with the images that the chunks truly hold."""

from bioscan1m.job import job
from bioscan1m.metadata.reconciliation import images_of_boxes, images_of_zips, reconcile_images

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, chunks = snakemake.input, snakemake.params.chunks
        boxes, zips = inputs.get("boxes"), inputs.get("zips")
        images = images_of_boxes(boxes, chunks) if boxes else images_of_zips(zips, inputs.quarantines)
        tables = snakemake.output.reconciliation, snakemake.output.chunks
        record.images = reconcile_images(inputs.metadata, images, chunks, *tables)
