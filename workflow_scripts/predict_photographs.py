"""Predict with the selected classifiers what is on new photographs."""

from bioscan1m.experiments.predictions import read_predictions
from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.tables import write_table
from bioscan1m.inference.photograph_predictions import (
    join_predictions,
    list_photographs,
    prediction_columns,
    show_predictions,
)
from bioscan1m.inference.selected_classifier import load_selected
from bioscan1m.jobs.context import job
from bioscan1m.metadata.taxonomy import read_ranks
from bioscan1m.package.images import ImagePackage

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        package = ImagePackage(inputs.package)
        photographs = list_photographs(package, inputs.boxes, inputs.quarantine)
        usable = [name for name in photographs["image_file"] if name in package]
        columns = []
        for selection, calibration_file in zip(inputs.selections, inputs.calibrations, strict=True):
            classifier = load_selected(selection, inputs.models)
            predictions, _ = classifier.look_at(inputs.package, usable)
            calibration = read_predictions(calibration_file)
            ranks = read_ranks(inputs.metadata, params.labels[classifier.experiment], classifier.classes)
            columns.append(
                prediction_columns(
                    experiment=classifier.experiment,
                    predictions=predictions,
                    calibration=calibration,
                    ranks=ranks,
                    level=max(params.levels),
                )
            )
        table = join_predictions(photographs, columns)
        write_table(outputs.predictions, table)
        save_figure(show_predictions(table, package, list(params.labels)), outputs.figure)
        record.images = {"in": len(table), "out": len(usable), "quarantined": len(table) - len(usable)}
