"""Fetch the detector that fine-tuning starts from: a hub id or a local folder."""

import logging
from pathlib import Path

from bioscan1m.detector.preprocessing import CHANNEL_MEAN, CHANNEL_STD, read_preprocessor
from bioscan1m.jobs.context import job
from bioscan1m.networks.channels import HUB_PREPROCESSOR, Channels, hub_settings, preprocessor_channels, write_channels
from bioscan1m.networks.pretrained import fetch_model, folder_of, write_digest

logger = logging.getLogger(__name__)

OWN_PREPROCESSOR = "preprocessor.json"  # of a detector of this pipeline


def fetch_detector(source: str, config: str | Path, model: str | Path, channels: str | Path) -> None:
    """Fetch a detector, named by a hub id or a local folder, to the files `config` and `model`.

    `channels` gets the mean and standard deviation of the channels that the detector is used to.
    """
    fetch_model(source, config, model)
    write_channels(channels, _channels(source))


def _channels(source: str) -> Channels | None:
    """The channels that the source's preprocessor gives; where it states nothing those of ImageNet, as of DETR."""
    folder = folder_of(source)
    if folder is not None and (folder / OWN_PREPROCESSOR).is_file():
        own = read_preprocessor(folder / OWN_PREPROCESSOR)
        return Channels(own.mean, own.std)
    stated = hub_settings(source, HUB_PREPROCESSOR)
    if not stated:
        logger.info("%s has no %s: channels are normalised as for DETR", source, HUB_PREPROCESSOR)
    return preprocessor_channels(stated, source, default=Channels(CHANNEL_MEAN, CHANNEL_STD))


if __name__ == "__main__":
    with job(snakemake):
        outputs, params = snakemake.output, snakemake.params
        fetch_detector(params.source, outputs.config, outputs.model, outputs.channels)
        write_digest(outputs.digest, [outputs.config, outputs.model, outputs.channels])
