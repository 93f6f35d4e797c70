"""The digest of the running job's recipe, which writers of files add to the metadata of what they write.

The job sets where the digest comes from; writers of HDF5, Parquet, safetensors and zip files ask for it when all else
is written, because inputs are hashed while the job works. Outside of a job there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

RECIPE_DIGEST = "recipe_digest"  # its name in files and records

_digest: ContextVar[Callable[[], str] | None] = ContextVar("digest of the recipe of the running job", default=None)


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
