"""Form the prediction sets of the test images of every experiment, each half calibrated on the other one."""

from bioscan1m.experiments.predictions import read_predictions
from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.tables import write_table
from bioscan1m.inference.coverage import class_coverage, form_test_sets, summarise_coverage, write_sets
from bioscan1m.inference.coverage_figure import draw_coverage
from bioscan1m.inference.halves import halves_by_specimen
from bioscan1m.jobs.context import job

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        experiments = []
        for experiment, predictions in zip(params.experiments, inputs.test, strict=True):
            test = read_predictions(predictions)
            second_half = halves_by_specimen(inputs.metadata, test.image_files, params.group)
            experiments.append(form_test_sets(experiment, test, second_half, params.levels))
        for path, sets in zip(outputs.sets, experiments, strict=True):
            write_sets(path, sets)
        by_class = class_coverage(experiments)
        write_table(outputs.classes, by_class, decimals=2)
        write_table(outputs.summary, summarise_coverage(experiments, by_class), decimals=2)
        save_figure(draw_coverage(experiments, by_class), outputs.figure)
        record.images = {"in": sum(len(sets.test.truth) for sets in experiments)}
