"""Test the selected classifier of one experiment, and keep its predictions for the validation and the test images."""

from bioscan1m.atomic import write_json
from bioscan1m.evaluation import count_images, describe_test, evaluate_selected
from bioscan1m.job import job
from bioscan1m.predictions import write_predictions

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs = snakemake.input, snakemake.output
        tested = evaluate_selected(inputs.package, inputs.split, inputs.selection, inputs.models)
        write_predictions(outputs.predictions, tested.predictions["test"])
        write_predictions(outputs.validation_predictions, tested.predictions["validation"])
        test = describe_test(tested, snakemake.params.evaluation["top_k"])
        write_json(outputs.test, test)
        record.images = count_images(test)
