"""Form the prediction sets of the test images of every experiment, calibrated on its validation images."""

from bioscan1m.experiments.predictions import read_predictions
from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.tables import write_table
from bioscan1m.inference.coverage import class_coverage, form_test_sets, summarise_coverage, write_sets
from bioscan1m.inference.coverage_figure import draw_coverage
from bioscan1m.jobs.context import job

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        files = zip(params.experiments, inputs.validation, inputs.test, strict=True)
        experiments = [
            form_test_sets(experiment, read_predictions(validation), read_predictions(test), params.levels)
            for experiment, validation, test in files
        ]
        for path, sets in zip(outputs.sets, experiments, strict=True):
            write_sets(path, sets)
        by_class = class_coverage(experiments)
        write_table(outputs.classes, by_class, decimals=2)
        write_table(outputs.summary, summarise_coverage(experiments, by_class), decimals=2)
        save_figure(draw_coverage(experiments, by_class), outputs.figure)
        record.images = {"in": sum(len(sets.test.truth) for sets in experiments)}
