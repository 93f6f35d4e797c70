"""Predict with the selected classifiers what is on new photographs."""

from bioscan1m.foundation.tables import write_table
from bioscan1m.inference.chain import Files, find_taxa, make_chain
from bioscan1m.inference.photograph_predictions import (
    UNUSABLE,
    images_without_insect,
    list_photographs,
    tabulate_verdicts,
    to_classify,
)
from bioscan1m.inference.preparation import require_same_preparation
from bioscan1m.inference.selected_classifier import load_selected
from bioscan1m.jobs.context import job
from bioscan1m.package.images import ImagePackage

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        classifiers = [load_selected(selection, inputs.models) for selection in inputs.selections]
        if params.same_preparation:
            require_same_preparation(
                run=inputs.preparation,
                photographs=inputs.own_preparation,
                digests=inputs.digests,
                classifiers=[one.trained for one in classifiers],
            )
        package = ImagePackage(inputs.package)
        photographs = list_photographs(package, inputs.boxes, inputs.quarantine)
        files = map(Files, inputs.validations, inputs.calibrations, inputs.embeddings)
        chain = make_chain(
            classifiers=classifiers,
            labels=params.labels,
            metadata=inputs.metadata,
            files=dict(zip(params.labels, files, strict=True)),
            empty=images_without_insect(inputs.run_boxes),
            level=max(params.levels),
            false_alarms=params.false_alarms,
        )
        table = tabulate_verdicts(photographs, find_taxa(chain, inputs.package, to_classify(photographs)))
        write_table(outputs.predictions, table)
        unusable = int((table["verdict"] == UNUSABLE).sum())
        record.images = {"in": len(table), "out": len(table) - unusable, "quarantined": unusable}
