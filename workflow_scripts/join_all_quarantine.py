"""Join the quarantine tables of all chunks and what the metadata lack into one table, for the report."""

from bioscan1m.job import job
from bioscan1m.quarantine_tables import join_chunks

if __name__ == "__main__":
    with job(snakemake) as record:
        inputs = snakemake.input
        record.images = join_chunks(
            inputs.tables, snakemake.params.chunks, inputs.reconciliation, snakemake.output.table
        )
