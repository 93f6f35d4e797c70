"""Fetch pretrained weights to a plain folder of config.json and model.safetensors, which compute nodes read offline.

They come from a local folder of that form, from the Hugging Face hub by their id, or from torchvision by the name of
the weights. Only safetensors are taken from a hub or a folder: pickled files can run code when they are read.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from bioscan1m.atomic import write_aside, write_json
from bioscan1m.errors import InputError

logger = logging.getLogger(__name__)

CONFIG, MODEL = "config.json", "model.safetensors"


def fetch_detector(source: str, config: str | Path, model: str | Path) -> None:
    """Fetch a detector, named by a hub id or a local folder, to the files `config` and `model`."""
    folder = _folder(source)
    for name, path in ((CONFIG, config), (MODEL, model)):
        _copy(_from_hub(source, name) if folder is None else folder / name, path)


def fetch_backbone(backbone: dict[str, Any], config: str | Path, model: str | Path) -> None:
    """Fetch the weights that a backbone of the config names to the files `config` and `model`.

    `backbone` has library, name and weights: a local folder, a torchvision weights name such as IMAGENET1K_V2, or a hub
    id. torchvision has no config.json; there it only says which weights these are.
    """
    weights, folder = backbone["weights"], _folder(backbone["weights"])
    if backbone["library"] == "transformers":
        fetch_detector(weights, config, model)
        return
    if folder is None:
        _from_torchvision(backbone["name"], weights, model)
    else:
        _copy(folder / MODEL, model)
    write_json(config, {key: backbone[key] for key in ("library", "name", "weights")})


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


def _from_hub(repository: str, name: str) -> Path:
    """The file in the hub's own cache, where the hub's client resumes and verifies; it reads a token from HF_TOKEN."""
    from huggingface_hub import hf_hub_download

    logger.info("fetching %s of %s from the hub", name, repository)
    try:
        return Path(hf_hub_download(repository, name))
    except (OSError, ValueError) as error:
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
