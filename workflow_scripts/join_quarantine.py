"""Join what the stages of one chunk could not use into one table: each image with the first stage that lost it."""

from bioscan1m.job import job
from bioscan1m.quarantine_tables import join_stages

if __name__ == "__main__":
    with job(snakemake) as record:
        record.images = join_stages(snakemake.input.tables, snakemake.output.table)
