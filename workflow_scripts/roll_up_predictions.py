"""Roll the test predictions of every experiment up to the coarser ranks, with the deepest safe rank of each."""

from bioscan1m.experiments.predictions import read_predictions
from bioscan1m.foundation.tables import write_table
from bioscan1m.inference.rank_accuracy import RankedTest, rank_accuracy, write_ranked
from bioscan1m.jobs.context import job
from bioscan1m.metadata.taxonomy import read_ranks

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        experiments = []
        for (experiment, label), predictions in zip(params.labels.items(), inputs.test, strict=True):
            test = read_predictions(predictions)
            experiments.append(RankedTest(experiment, test, read_ranks(inputs.metadata, label, test.classes)))
        for path, tested in zip(outputs.ranks, experiments, strict=True):
            write_ranked(path, tested, params.levels)
        write_table(outputs.accuracy, rank_accuracy(experiments, params.levels), decimals=2)
        record.images = {"in": sum(len(tested.test.truth) for tested in experiments)}
