"""Test a classifier, of an experiment the selected one, and keep what it says of the validation and the test images."""

from bioscan1m.atomic import write_json
from bioscan1m.experiments.evaluation import (
    count_images,
    describe_test,
    evaluate_model,
    find_selected,
    warn_of_absences,
)
from bioscan1m.experiments.predictions import write_predictions
from bioscan1m.job import job
from bioscan1m.scratch import staged

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs = snakemake.input, snakemake.output
        model = find_selected(inputs.models, inputs.get("selection"))
        with staged([inputs.package], snakemake.params.scratch) as (package,):
            tested = evaluate_model(package, inputs.split, model)
        write_predictions(outputs.predictions, tested.predictions["test"])
        write_predictions(outputs.validation_predictions, tested.predictions["validation"])
        test = describe_test(tested, snakemake.params.evaluation["top_k"])
        write_json(outputs.test, test)
        record.images = count_images(test)
        warn_of_absences(test)
