"""Fetch pretrained weights to a plain folder of config.json and model.safetensors, which compute nodes read offline.

They come from a local folder of that form, from the Hugging Face hub by their id, or from torchvision by the name of
the weights. Only safetensors are taken from a hub or a folder: pickled files can run code when they are read.
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from bioscan1m.atomic import write_aside, write_json
from bioscan1m.detector.detector_input import CHANNEL_MEAN, CHANNEL_STD, read_preprocessor, write_channels
from bioscan1m.errors import InputError
from bioscan1m.provenance.provenance import file_digest

logger = logging.getLogger(__name__)

CONFIG, MODEL = "config.json", "model.safetensors"
# How a detector wants its input: the hub's file, and that of a detector of this pipeline.
HUB_PREPROCESSOR, OWN_PREPROCESSOR = "preprocessor_config.json", "preprocessor.json"


def fetch_detector(source: str, config: str | Path, model: str | Path, channels: str | Path) -> None:
    """Fetch a detector, named by a hub id or a local folder, to the files `config` and `model`.

    `channels` gets the mean and standard deviation of the channels that the detector is used to.
    """
    _fetch_model(source, config, model)
    write_channels(channels, *_channels(source))


def fetch_backbone(backbone: dict[str, Any], config: str | Path, model: str | Path) -> None:
    """Fetch the weights that a backbone of the config names to the files `config` and `model`.

    `backbone` has library, name and weights: a local folder, a torchvision weights name such as IMAGENET1K_V2, or a hub
    id. torchvision has no config.json; there it only says which weights these are.
    """
    weights, folder = backbone["weights"], _folder(backbone["weights"])
    if backbone["library"] == "transformers":
        _fetch_model(weights, config, model)
        return
    if folder is None:
        _from_torchvision(backbone["name"], weights, model)
    else:
        _copy(folder / MODEL, model)
    write_json(config, {key: backbone[key] for key in ("library", "name", "weights")})


def write_digest(path: str | Path, files: list[str | Path]) -> None:
    """Write the SHA-256 of each of these files as JSON, by name: it is as small as the weights are large."""
    write_json(path, {Path(file).name: file_digest(file) for file in files})


def _fetch_model(source: str, config: str | Path, model: str | Path) -> None:
    folder = _folder(source)
    for name, path in ((CONFIG, config), (MODEL, model)):
        _copy(_from_hub(source, name) if folder is None else folder / name, path)


def _channels(source: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of channel values from 0 to 1, as the source's preprocessor gives them.

    The real-time detectors take the values as they are (`do_normalize` false); a source that says nothing is used to
    those of ImageNet, as DETR.
    """
    folder = _folder(source)
    if folder is not None and (folder / OWN_PREPROCESSOR).is_file():
        own = read_preprocessor(folder / OWN_PREPROCESSOR)
        return own.mean, own.std
    said = _hub_preprocessor(source, folder)
    if not said.get("do_normalize", True):
        return (0.0,) * 3, (1.0,) * 3
    return tuple(said.get("image_mean", CHANNEL_MEAN)), tuple(said.get("image_std", CHANNEL_STD))


def _hub_preprocessor(source: str, folder: Path | None) -> dict[str, Any]:
    """What a preprocessor_config.json says; nothing where there is none."""
    file = _from_hub(source, HUB_PREPROCESSOR, optional=True) if folder is None else folder / HUB_PREPROCESSOR
    if file is None or not file.is_file():
        logger.info("%s has no %s: channels are normalised as for DETR", source, HUB_PREPROCESSOR)
        return {}
    return json.loads(file.read_text(encoding="utf-8"))


def _folder(source: str) -> Path | None:
    """The local folder that is meant, None where it must be a hub id or a name. Raises InputError for a missing one."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if source.startswith((".", "/", "~")):
        raise InputError(f"{source}: no such folder; it should have {CONFIG} and {MODEL} in it")
    return None


def _copy(file: Path, path: str | Path) -> None:
    if not file.is_file():
        raise InputError(f"{file}: no such file; a folder of pretrained weights has {CONFIG} and {MODEL} in it")
    with write_aside(path) as part:
        shutil.copyfile(file, part)


def _from_hub(repository: str, name: str, optional: bool = False) -> Path | None:
    """The file in the hub's own cache, where the hub's client resumes and verifies; it reads a token from HF_TOKEN.

    `repository` is an id, or `id@revision` for one state of it. None for an `optional` file that it does not have.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    identifier, _, revision = repository.partition("@")
    logger.info("fetching %s of %s from the hub", name, repository)
    try:
        return Path(hf_hub_download(identifier, name, revision=revision or None))
    except (OSError, ValueError) as error:
        if optional and isinstance(error, RemoteEntryNotFoundError):
            return None
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{repository}: no {name} from the Hugging Face hub ({reason}). Check the id in the config; or bring "
            f"{CONFIG} and {MODEL} here by other means and name their folder"
        ) from None


def _from_torchvision(name: str, weights: str, path: str | Path) -> None:
    """Write the weights that torchvision publishes under a name, checked by the digest in their address."""
    from torchvision.models import get_model_weights

    from bioscan1m.weights import write_weights

    try:
        known = get_model_weights(name).__members__
    except ValueError:
        raise InputError(f"classifier.backbones: torchvision has no model '{name}'") from None
    if weights not in known:
        raise InputError(
            f"classifier.backbones: '{weights}' is neither a local folder nor weights that torchvision has of {name}; "
            f"it has: {', '.join(known)}"
        )
    published = known[weights]
    logger.info("fetching %s of %s from torchvision", weights, name)
    try:
        state = published.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{published.url}: could not be fetched ({error}); try again, or name a local folder"
        ) from None
    write_weights(path, state, {"name": name, "weights": weights})
