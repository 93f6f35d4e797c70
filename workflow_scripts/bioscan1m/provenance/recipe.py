"""The recipe of a job: what decides the bytes of its outputs. Files carry its digest, to say where they are from.

Into the recipe go the rule and its wildcards, the digests of the inputs in their order, and those parameters that are a
reason to run the job again, the code and the seed among them: no path, time or machine, so that equal jobs still leave
equal bytes. Writers of HDF5, Parquet, safetensors and zip files ask for the digest when all else is written, since
inputs are hashed while the job works. Files that are fetched stay as their source has them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

RECIPE_DIGEST = "recipe_digest"  # its name in files and records
DIGITS = 64
BLOCK_BYTES = 2**20

_digest: ContextVar[Callable[[], str] | None] = ContextVar("digest of the recipe of the running job", default=None)


def recipe_digest(content: dict[str, Any]) -> str:
    """SHA-256 of the recipe of a job, from what its record says of it; `content` is plain JSON."""
    watched = {name: value for name, value in content["parameters"].items() if name not in content["unwatched"]}
    recipe = {
        "rule": content["rule"],
        "wildcards": content["wildcards"],
        "inputs": [file["sha256"] for file in content["inputs"]],
        "parameters": watched,
        "code": content["code"],
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@contextmanager
def writing_by_recipe(digest: Callable[[], str]) -> Iterator[None]:
    """Let what is written in the block carry a digest, which is asked for as late as it can be."""
    token = _digest.set(digest)
    try:
        yield
    finally:
        _digest.reset(token)


def recipe_of_job() -> dict[str, str]:
    """The digest of the running job's recipe by its name, to be added to the metadata of a file; empty outside of jobs.

    Waits until the inputs are hashed. Raises InputError where one has changed since the job began.
    """
    digest = _digest.get()
    return {} if digest is None else {RECIPE_DIGEST: digest()}


def digest_without_recipe(path: str | Path, recipe: str) -> str:
    """SHA-256 of a file as if it carried no recipe: each place where the text `recipe` stands counts as zeros."""
    digest, text, kept = hashlib.sha256(), recipe.encode(), b""
    with open(path, "rb") as file:
        while block := file.read(BLOCK_BYTES):
            data = (kept + block).replace(text, b"0" * DIGITS)
            digest.update(data[: 1 - DIGITS])
            kept = data[1 - DIGITS :]
    digest.update(kept)
    return digest.hexdigest()
