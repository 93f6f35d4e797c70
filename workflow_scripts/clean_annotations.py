"""Clean the boxes of an annotated image set; see bioscan1m/detector/annotation_cleaning.py for what is checked."""

from bioscan1m.detector.annotation_cleaning import clean_annotations
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake) as record:
        given, made = snakemake.input, snakemake.output
        record.images = clean_annotations(
            given.images, given.annotations, made.annotations, made.counts, snakemake.wildcards.image_set
        )
