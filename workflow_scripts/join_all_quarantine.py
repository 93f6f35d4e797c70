"""Join the quarantine tables of all chunks into one, for the report."""

from bioscan1m.job import job
from bioscan1m.quarantine_tables import join_chunks

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = join_chunks(snakemake.input.tables, snakemake.params.chunks, snakemake.output.table)
