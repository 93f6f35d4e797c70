"""Give every image its role in every experiment."""

from bioscan1m.job import job
from bioscan1m.metadata.split_tables import build_splits

if __name__ == "__main__":
    with job(snakemake) as record:
        splits = snakemake.params.splits
        record.seed = splits["seed"]
        given, made = snakemake.input, snakemake.output
        tables = made.splits, made.roles, made.counts, made.shortfalls
        record.images = build_splits(given.metadata, splits, *tables, snakemake.threads, given.previous)
