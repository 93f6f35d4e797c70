"""Fetch the detector that fine-tuning starts from: a hub id or a local folder."""

from bioscan1m.fetch.pretrained import fetch_detector, write_digest
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        made = snakemake.output
        fetch_detector(snakemake.params.source, made.config, made.model, made.channels)
        write_digest(made.digest, [made.config, made.model, made.channels])
