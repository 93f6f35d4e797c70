"""Fetch the pretrained weights of one backbone, so that training runs without internet."""

from bioscan1m.fetch.pretrained import fetch_backbone
from bioscan1m.job import job

if __name__ == "__main__":
    with job(snakemake):
        fetch_backbone(snakemake.params.backbone, snakemake.output.config, snakemake.output.model)
