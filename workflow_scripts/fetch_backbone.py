"""Fetch the pretrained weights of one backbone, so that training runs without internet."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.context import job
from bioscan1m.networks.channels import Channels, channels_of, require_stated, stated_channels, write_channels
from bioscan1m.networks.pretrained import (
    MODEL,
    copy_weights,
    fetch_from_torchvision,
    fetch_model,
    folder_of,
    published_by_torchvision,
    write_digest,
)

logger = logging.getLogger(__name__)


def fetch_backbone(
    backbone: Mapping[str, Any], config: str | Path, model: str | Path, channels: str | Path, normalisation: object
) -> None:
    """Fetch the weights that a backbone of the config names.

    Args:
        backbone: library, name and weights: a local folder, a torchvision weights name such as IMAGENET1K_V1, or a hub
            id.
        config: the file of its configuration; torchvision has none, and there it only names the weights.
        model: the file of the weights, as they are published.
        channels: the file of the mean and deviation that they were trained with, null where they state none of use.
        normalisation: of the backbone in the config.

    Raises:
        InputError: they cannot be fetched, or `weights` normalises and they do not state with what.
    """
    weights = backbone["weights"]
    if backbone["library"] == "torchvision":
        _fetch_for_torchvision(backbone["name"], weights, model)
        write_json(config, {key: backbone[key] for key in ("library", "name", "weights")})
    else:
        fetch_model(weights, config, model)
    if normalisation == "weights":
        write_channels(channels, require_stated(_stated(backbone), weights))
    else:
        write_channels(channels, _stated_if_of_use(backbone))


def _stated(backbone: Mapping[str, Any]) -> Channels | None:
    """The channels that the weights of a backbone state. Raises InputError where they cannot be used."""
    weights = backbone["weights"]
    if backbone["library"] == "torchvision" and folder_of(weights) is None:
        return channels_of(vars(published_by_torchvision(backbone["name"], weights).transforms()), weights)
    return stated_channels(weights)


def _stated_if_of_use(backbone: Mapping[str, Any]) -> Channels | None:
    """The same for a backbone that does not need them; None where they cannot be used."""
    try:
        return _stated(backbone)
    except InputError as error:
        logger.info("%s", error)
        return None


def _fetch_for_torchvision(name: str, weights: str, path: str | Path) -> None:
    """Write the weights of a local folder, or those that torchvision publishes under a name."""
    folder = folder_of(weights)
    if folder is not None:
        copy_weights(folder / MODEL, path)
        return
    from bioscan1m.networks.weights import write_weights

    write_weights(path, fetch_from_torchvision(name, weights), {"name": name, "weights": weights})


if __name__ == "__main__":
    with job(snakemake):
        outputs, params = snakemake.output, snakemake.params
        fetch_backbone(params.backbone, outputs.config, outputs.model, outputs.channels, params.normalisation)
        write_digest(outputs.digest, [outputs.config, outputs.model])
