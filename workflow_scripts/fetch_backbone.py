"""Fetch the pretrained weights of one backbone, so that training runs without internet."""

from bioscan1m.job import job
from bioscan1m.pretrained import fetch_backbone

if __name__ == "__main__":
    with job(snakemake):
        fetch_backbone(snakemake.params.backbone, snakemake.output.config, snakemake.output.model)
