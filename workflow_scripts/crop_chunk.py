"""Cut every insect of one chunk out of its photograph, by the boxes that the detector found."""

from bioscan1m.crop.cropping import crop_chunk
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = crop_chunk(
            snakemake.input.chunk,
            snakemake.input.boxes,
            snakemake.output.cropped,
            snakemake.output.quarantine,
            snakemake.params.crop,
            snakemake.params.member_folder,
            snakemake.params.unreadable_limit,
            snakemake.threads,
        )
