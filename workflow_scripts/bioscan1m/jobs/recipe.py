"""The recipe of a job: all that decides the bytes of its outputs, whose digest is in the outputs and names their job.

The recipe has the rule and its wildcards, the digests of the inputs in their order, and those parameters that are a
reason to run the job again, code and seed among them: no path, time or machine, so that equal jobs write equal bytes.
Writers of HDF5, Parquet, safetensors and zip files add the digest last, because inputs are hashed while the job works.
Fetched files are not changed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from bioscan1m.foundation.sources import without_secrets

DIGITS = 64
BLOCK_BYTES = 2**20


def as_recorded(value: Any) -> Any:
    """Parameters as records have them: plain JSON, in which addresses have no user, password and query."""
    return _without_secrets(json.loads(json.dumps(value)))


def recipe_digest(content: dict[str, Any]) -> str:
    """SHA-256 of the recipe of a job; `content` is that of its record."""
    watched = {name: value for name, value in content["parameters"].items() if name not in content["unwatched"]}
    recipe = {
        "rule": content["rule"],
        "wildcards": content["wildcards"],
        "inputs": [file["sha256"] for file in content["inputs"]],
        "parameters": watched,
        "code": content["code"],
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def digest_without_recipe(path: str | Path, recipe: str) -> str:
    """SHA-256 of a file with zeros in each place of the text `recipe`."""
    digest, text, rest = hashlib.sha256(), recipe.encode(), b""
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            data = (rest + block).replace(text, b"0" * DIGITS)  # the rest has the start of a text that is cut in two
            digest.update(data[: 1 - DIGITS])
            rest = data[1 - DIGITS :]
    digest.update(rest)
    return digest.hexdigest()


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_secrets(part) for part in value]
    return without_secrets(value) if isinstance(value, str) else value
