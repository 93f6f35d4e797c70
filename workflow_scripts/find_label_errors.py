"""List the probable label errors of every experiment, show the first of each, and measure how far to trust the list."""

from bioscan1m.experiments.predictions import read_predictions
from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.tables import write_table
from bioscan1m.inference.label_errors import find_label_errors, measure_trust, show_label_errors
from bioscan1m.jobs.context import job
from bioscan1m.package.images import ImagePackage

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        record.seed = params.seed
        experiments = {
            experiment: {"validation": read_predictions(validation), "test": read_predictions(test)}
            for experiment, validation, test in zip(params.experiments, inputs.validation, inputs.test, strict=True)
        }
        errors = find_label_errors(experiments)
        write_table(outputs.errors, errors, decimals=2)
        write_table(outputs.trust, measure_trust(experiments, params.seed), decimals=2)
        save_figure(show_label_errors(errors, ImagePackage(inputs.package), experiments), outputs.figure)
        record.images = {"in": sum(len(one.truth) for held_out in experiments.values() for one in held_out.values())}
