"""Weights with their recipe: a safetensors file whose metadata describe the weights and how they were made.

The safetensors library writes metadata in an order that changes from process to process, so the header is put
together here: the same weights and the same metadata give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from bioscan1m.foundation.atomic import write_aside
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.recipe_hook import RECIPE_DIGEST, recipe_of_job

HEADER_LENGTH_BYTES = 8  # a little-endian integer at the start of the file
HEADER_ALIGNMENT = 8  # bytes; the header ends in spaces up to it


def write_weights(path: str | Path, weights: Mapping[str, torch.Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a safetensors file.

    Args:
        path: the file.
        weights: tensors by name.
        metadata: plain values, each of which is stored as JSON text under its key.
    """
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})
    write_serialized(path, data, {key: json.dumps(metadata[key], sort_keys=True) for key in sorted(metadata)})


def write_serialized(path: str | Path, serialized: bytes, metadata: Mapping[str, str]) -> None:
    """Write what is a safetensors file already; to its metadata come these texts and the digest of the job's recipe."""
    data = memoryview(serialized)
    start = HEADER_LENGTH_BYTES + int.from_bytes(data[:HEADER_LENGTH_BYTES], "little")
    tensors = json.loads(bytes(data[HEADER_LENGTH_BYTES:start]))
    texts = dict(sorted(tensors.pop("__metadata__", {}).items())) | dict(metadata) | recipe_of_job()
    header = json.dumps({"__metadata__": texts, **tensors}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % HEADER_ALIGNMENT)
    with write_aside(path) as part, part.open("wb") as file:
        file.write(len(header).to_bytes(HEADER_LENGTH_BYTES, "little"))
        file.write(header)
        file.write(data[start:])


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Tensors by name, on the CPU. Raises InputError where the file is missing or damaged."""
    try:
        return load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{path}: no readable safetensors file ({error}); make or fetch it again") from None


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The metadata that `write_weights` stored, without reading a tensor. Raises InputError as `read_weights` does."""
    try:
        with safe_open(path, "pt") as file:
            texts = file.metadata() or {}
            return {key: json.loads(text) for key, text in texts.items() if key != RECIPE_DIGEST}
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{path}: no weights with a recipe of this pipeline ({error}); train them again") from None


def digest_of_weights(path: str | Path) -> str:
    """The digest of the recipe of the job that wrote a file of weights; empty where no job did."""
    with safe_open(path, "pt") as file:
        return (file.metadata() or {}).get(RECIPE_DIGEST, "")
