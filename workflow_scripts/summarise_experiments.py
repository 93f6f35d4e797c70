"""Put the results of all experiments into two tables beside the paper's, and the test results into a short text."""

from bioscan1m.atomic import write_text
from bioscan1m.experiment_results import read_results
from bioscan1m.job import job
from bioscan1m.results_tables import headline, test_table, validation_table

if __name__ == "__main__":
    with job(snakemake):
        validations, tests = read_results(snakemake.input.validations), read_results(snakemake.input.tests)
        table = test_table(tests)
        validation = validation_table(validations, tests)
        write_text(snakemake.output.validation, validation.to_csv(sep="\t", index=False, lineterminator="\n"))
        write_text(snakemake.output.test, table.to_csv(sep="\t", index=False, lineterminator="\n"))
        write_text(snakemake.output.headline, headline(table))
