"""Fetch the pretrained weights of one backbone, so that training runs without internet."""

from bioscan1m.fetch.pretrained import fetch_backbone, write_digest
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        made = snakemake.output
        fetch_backbone(snakemake.params.backbone, made.config, made.model)
        write_digest(made.digest, [made.config, made.model])
