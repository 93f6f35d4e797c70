"""Make a detector of this pipeline from the released checkpoint; see bioscan1m/detector/detector_checkpoint.py."""

from bioscan1m.detector.detector import save_detector
from bioscan1m.detector.detector_checkpoint import read_checkpoint
from bioscan1m.detector.detector_input import Preprocessor
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        made = snakemake.output
        model = read_checkpoint(snakemake.input.checkpoint)
        save_detector(model, Preprocessor(**snakemake.params.image_size), made.model, made.config, made.preprocessor)
