"""Draw one experiment: training curves, accuracy by class, confusions, calibration, and the images that it gets wrong.

The figures are 5, A1 to A4 and the curves of A11 of the paper, for any experiment.
"""

import pandas as pd

from bioscan1m.experiments.experiment_figures import (
    draw_class_accuracy,
    draw_confusion_matrix,
    draw_reliability,
    draw_training_curves,
)
from bioscan1m.experiments.experiment_results import read_results
from bioscan1m.experiments.misclassifications import draw_misclassified, draw_taken_for_dominant
from bioscan1m.experiments.predictions import read_predictions
from bioscan1m.figures import save_figure
from bioscan1m.job import job
from bioscan1m.package.packages import ImagePackage

if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs = snakemake.input, snakemake.output
        histories = [pd.read_csv(file, sep="\t") for file in inputs.histories]
        (test,) = read_results([inputs.test])
        predictions, package = read_predictions(inputs.predictions), ImagePackage(inputs.package)
        galleries = {
            outputs.misclassified: draw_misclassified,
            outputs.taken_for_dominant: draw_taken_for_dominant,
        }
        save_figure(draw_training_curves(histories, read_results(inputs.validations)), outputs.training_curves)
        save_figure(draw_class_accuracy(test), outputs.class_accuracy)
        save_figure(draw_confusion_matrix(test), outputs.confusion_matrix)
        save_figure(draw_reliability(test), outputs.reliability)
        for path, draw in galleries.items():
            save_figure(draw(predictions, package, snakemake.wildcards.experiment), path)
