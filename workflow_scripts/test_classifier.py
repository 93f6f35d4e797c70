"""Test a classifier, of an experiment the selected one, and write its predictions for validation and test images."""

from bioscan1m.experiments.evaluation import (
    describe_test,
    evaluate_model,
    find_selected,
    images_by_role,
    warn_of_absences,
)
from bioscan1m.experiments.predictions import write_predictions
from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.scratch import staged
from bioscan1m.jobs.context import job

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        model = find_selected(inputs.models, inputs.get("selection"))
        with staged([inputs.package], params.scratch) as (package,):
            tested = evaluate_model(package, inputs.split, model)
        write_predictions(outputs.predictions, tested.predictions["test"])
        write_predictions(outputs.validation_predictions, tested.predictions["validation"])
        test = describe_test(tested, params.evaluation["top_k"])
        write_json(outputs.test, test)
        record.images = images_by_role(test)
        warn_of_absences(test)
