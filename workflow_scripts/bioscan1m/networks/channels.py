"""Mean and standard deviation of the channels that a network is trained with, and where weights state them.

Weights of a hub or a folder state them in preprocessor_config.json (transformers) or in config.json (timm). Values are
shares of the largest pixel value: what is stated for other values, such as 0 to 255, is converted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.pretrained import CONFIG, folder_of, from_hub

CHANNELS_FILE = "channels.json"  # beside fetched weights, and of measured images
HUB_PREPROCESSOR = "preprocessor_config.json"
LARGEST = 255  # pixel value
SCALE_DIGITS = 9  # so that a factor of 1/255, as it is written in files, scales by exactly 1


class Channels(NamedTuple):
    """Mean and standard deviation of the RGB channels that a network was trained on, as shares of the largest value."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


UNIT_RANGE = Channels((0, 0, 0), (1, 1, 1))  # pixels from 0 to 1, as the released classifiers see them
# Of the dataset, as published with its reader package: of all models made before the normalisation could be chosen.
CHANNELS_BEFORE = Channels((0.7251, 0.7289, 0.7296), (0.1265, 0.1430, 0.1610))


def write_channels(path: str | Path, channels: Channels | None) -> None:
    """Write channels as JSON; null where weights do not state theirs."""
    write_json(path, channels and channels._asdict())


def read_channels(path: str | Path) -> Channels:
    """The channels in a file that `write_channels` or a measurement wrote.

    Raises InputError where it is missing, or the weights beside it state none.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: no readable mean and deviation of channels ({error}); make it again") from None
    return require_stated(channels_of(values or {}, path), Path(path).parent)


def channels_of(values: Mapping[str, Any], source: str | Path) -> Channels | None:
    """The channels under the keys `mean` and `std`; None where they are missing.

    Raises InputError with the source where they are not three finite numbers, or a deviation is not above 0.
    """
    mean, std = values.get("mean"), values.get("std")
    if mean is None or std is None:
        return None
    if not (_are_three_numbers(mean) and _are_three_numbers(std) and min(std) > 0):
        raise InputError(
            f"{source}: mean {mean} and deviation {std} of the channels are no three numbers each, deviations above "
            "0; set classifier.backbones.….normalisation to numbers, or to unit"
        )
    return Channels(tuple(mean), tuple(std))


def require_stated(channels: Channels | None, source: str | Path) -> Channels:
    """The channels. Raises InputError with the source of the weights where they are not stated."""
    if channels is None:
        raise InputError(
            f"{source}: the weights do not state a mean and deviation that can be used, neither in {HUB_PREPROCESSOR} "
            f"nor in timm's {CONFIG}; set classifier.backbones.….normalisation to the numbers that they were trained "
            "with, {mean: [.., .., ..], std: [.., .., ..]}, to unit or to dataset"
        )
    return channels


def stated_channels(source: str) -> Channels | None:
    """The channels that the weights of a hub id or a local folder state; None where they state none.

    Raises InputError where they cannot be fetched, or are no three numbers.
    """
    if folder_of(source) and (fetched := hub_settings(source, CHANNELS_FILE)):  # by this pipeline
        return channels_of(fetched, source)
    if preprocessor := hub_settings(source, HUB_PREPROCESSOR):
        return preprocessor_channels(preprocessor, source)
    config = hub_settings(source, CONFIG)
    return channels_of(config.get("pretrained_cfg", config), source)


def hub_settings(source: str, name: str) -> dict[str, Any]:
    """The JSON object in a file of a hub id or of a local folder; empty where there is none."""
    folder = folder_of(source)
    file = from_hub(source, name, optional=True) if folder is None else folder / name
    if file is None or not file.is_file():
        return {}
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file}: no readable JSON ({error}); bring {source} here again") from None
    return settings if isinstance(settings, dict) else {}


def preprocessor_channels(
    settings: Mapping[str, Any], source: str | Path, default: Channels | None = None
) -> Channels | None:
    """The channels that a preprocessor of transformers makes of the pixels of an image.

    Args:
        settings: of its preprocessor_config.json.
        source: in messages.
        default: for a mean or a deviation that it does not state.

    Returns:
        The channels; None where they are not stated and there is no default.

    Raises:
        InputError: they are no three numbers, or the channels have another order than RGB.
    """
    if settings.get("do_flip_channel_order"):
        raise InputError(f"{source}: these weights take channels in the order BGR, which is not built; take others")
    known = default._asdict() if default else {}
    stated = {name: settings.get(f"image_{name}") or known.get(name) for name in Channels._fields}
    channels = channels_of(stated, source) if settings.get("do_normalize", True) else UNIT_RANGE
    return channels and _of_rescaled(channels, settings)


def _of_rescaled(channels: Channels, settings: Mapping[str, Any]) -> Channels:
    """The channels as shares, where a preprocessor takes them of pixels times another factor, or less 1 after that."""
    factor = settings.get("rescale_factor", 1 / LARGEST) if settings.get("do_rescale", True) else 1
    scale = round(LARGEST * factor, SCALE_DIGITS)
    offset = 1 if settings.get("rescale_offset") or settings.get("offset") else 0
    if (scale, offset) == (1, 0):
        return channels
    mean, std = channels
    return Channels(tuple((value + offset) / scale for value in mean), tuple(value / scale for value in std))


def _are_three_numbers(values: object) -> bool:
    return (
        isinstance(values, Sequence)
        and len(values) == len(UNIT_RANGE.mean)
        and all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    )
