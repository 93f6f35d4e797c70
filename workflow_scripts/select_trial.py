"""Select the trial of an experiment that is tested: the highest mean of a validation metric over the seeds."""

from bioscan1m.atomic import write_json
from bioscan1m.experiments.selection import select_trial
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        write_json(snakemake.output.selection, select_trial(snakemake.input.validations, snakemake.params.selection))
