"""Put the results of all experiments into three tables beside the paper's, and the test results into a short text."""

from bioscan1m.atomic import write_text
from bioscan1m.experiments.experiment_results import read_results
from bioscan1m.experiments.results_tables import (
    headline,
    summarise_misclassified,
    summarise_tests,
    summarise_validations,
)
from bioscan1m.job import job
from bioscan1m.tables import write_table

if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs = snakemake.input, snakemake.output
        validations, selections, tests = map(read_results, (inputs.validations, inputs.selections, inputs.tests))
        tested = summarise_tests(tests, selections)
        write_table(outputs.validation, summarise_validations(validations, tests))
        write_table(outputs.test, tested)
        write_table(outputs.misclassified, summarise_misclassified(tests))
        write_text(outputs.headline, headline(tested))
