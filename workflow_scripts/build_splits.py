"""Give every image its role in every experiment."""

from bioscan1m.jobs.context import job
from bioscan1m.metadata.split_settings import Splits
from bioscan1m.metadata.split_tables import build_splits

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        splits = Splits.from_config(params.splits)
        record.seed = splits.seed
        record.images = build_splits(
            inputs.metadata,
            splits,
            outputs.splits,
            roles=outputs.roles,
            counts=outputs.counts,
            shortfalls=outputs.shortfalls,
            threads=snakemake.threads,
            previous=inputs.previous,
            duplicates=next(iter(inputs.duplicates), None),
        )
