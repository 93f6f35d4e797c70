"""Make a model of this pipeline from a released checkpoint; see bioscan1m/experiments/released_classifier.py."""

from bioscan1m.experiments.released_classifier import import_released
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        inputs = snakemake.input
        import_released(snakemake.output.model, inputs.checkpoint, inputs.split, snakemake.params.trial)
