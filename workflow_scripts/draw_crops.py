"""Draw a sample of a chunk's photographs with their boxes beside the crops, for the report."""

from bioscan1m.crop.crop_gallery import draw_crops
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = draw_crops(
            snakemake.input.chunk,
            snakemake.input.boxes,
            snakemake.input.cropped,
            snakemake.output.figure,
            snakemake.params.crop,
        )
