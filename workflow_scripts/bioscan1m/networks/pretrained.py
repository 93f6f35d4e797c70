"""Fetch pretrained weights to a plain folder of config.json and model.safetensors, which compute nodes read offline.

They come from a local folder of that form, from the Hugging Face hub by their id, or from torchvision by the name of
the weights. Only safetensors are taken from a hub or a folder: pickled files can run code when they are read.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from bioscan1m.foundation.atomic import write_aside, write_json
from bioscan1m.foundation.digests import file_digest
from bioscan1m.foundation.errors import InputError

logger = logging.getLogger(__name__)

CONFIG, MODEL = "config.json", "model.safetensors"


def fetch_model(source: str, config: str | Path, model: str | Path) -> None:
    """Fetch the model that a hub id or a local folder names to the files `config` and `model`."""
    folder = folder_of(source)
    for name, path in ((CONFIG, config), (MODEL, model)):
        file = from_hub(source, name) if folder is None else folder / name
        assert file is not None  # only an optional file may be missing
        copy_weights(file, path)


def write_digest(path: str | Path, files: list[str | Path]) -> None:
    """Write the SHA-256 of each of these files as JSON, by name: it is as small as the weights are large."""
    write_json(path, {Path(file).name: file_digest(file) for file in files})


def folder_of(source: str) -> Path | None:
    """The local folder that is meant, None where it must be a hub id or a name. Raises InputError for a missing one."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if source.startswith((".", "/", "~")) or source.partition("@")[0].count("/") > 1:  # a hub id is OWNER/NAME
        raise InputError(
            f"{source}: no such folder; it should have {CONFIG} and {MODEL} in it. A relative path starts at the "
            f"folder of the run: {folder.resolve()}"
        )
    return None


def copy_weights(file: Path, path: str | Path) -> None:
    """Copy a file of a folder of pretrained weights. Raises InputError where it is missing."""
    if not file.is_file():
        raise InputError(f"{file}: no such file; a folder of pretrained weights has {CONFIG} and {MODEL} in it")
    with write_aside(path) as part:
        shutil.copyfile(file, part)


def from_hub(repository: str, name: str, optional: bool = False) -> Path | None:
    """The file in the hub's own cache, where the hub's client resumes and verifies; it reads a token from HF_TOKEN.

    `repository` is an id, or `id@revision` for one state of it. None for an `optional` file that it does not have.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    identifier, _, revision = repository.partition("@")
    logger.info("fetching %s of %s from the hub", name, repository)
    try:
        return Path(hf_hub_download(identifier, name, revision=revision or None))
    except MemoryError:
        raise
    except Exception as error:  # also of the client's HTTP library, where a transfer breaks off again and again
        if optional and isinstance(error, RemoteEntryNotFoundError):
            return None
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{repository}: no {name} from the Hugging Face hub ({reason}). Check the id in the config; or bring "
            f"{CONFIG} and {MODEL} here by other means and name their folder"
        ) from None


def fetch_from_torchvision(name: str, weights: str) -> dict[str, Any]:
    """The tensors by name that torchvision publishes for a model, with their digest; they stay in torch's own cache.

    Raises InputError where there are no such weights, or they cannot be fetched.
    """
    published = published_by_torchvision(name, weights)
    logger.info("fetching %s of %s from torchvision", weights, name)
    try:
        return published.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{published.url}: could not be fetched ({error}); try again, or name a local folder"
        ) from None


def published_by_torchvision(name: str, weights: str) -> Any:
    """The entry of torchvision's enumeration of the weights of a model. Raises InputError where there is none."""
    from torchvision.models import get_model_weights

    try:
        known = get_model_weights(name).__members__
    except ValueError:
        raise InputError(f"classifier.backbones: torchvision has no model '{name}'") from None
    if weights not in known:
        raise InputError(
            f"classifier.backbones: '{weights}' is neither a local folder nor weights that torchvision has of {name}; "
            f"it has: {', '.join(known)}"
        )
    return known[weights]
