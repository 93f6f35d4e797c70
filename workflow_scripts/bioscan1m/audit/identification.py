"""Which job of a run made this file, wherever the file lies now? By its bytes, or by the recipe that it carries."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import h5py
import pyarrow.parquet as pq
from safetensors import safe_open

from bioscan1m.audit.evidence import Evidence
from bioscan1m.audit.states import CHANGED, INTACT, ORPHAN, Finding
from bioscan1m.foundation.archives import read_comment
from bioscan1m.foundation.digests import file_digest
from bioscan1m.foundation.recipe_hook import RECIPE_DIGEST
from bioscan1m.jobs.records import Record


def identify(path: str | Path, evidence: Evidence) -> tuple[Finding, Record | None]:
    """Find the job that made a file from anywhere, also one that ran again since.

    Args:
        path: the file.
        evidence: records and ledger of the run.

    Returns:
        The finding and the record of the job, None if it is unknown. A file with the bytes of an output is a copy of
        it; one with other bytes and the recipe of a job was changed.
    """
    path, digest = Path(path), file_digest(path)
    records = list(_newest_first(evidence))
    outputs = [(record, file["path"]) for record in records for file in record.outputs if file["sha256"] == digest]
    if outputs:
        record, name = next((output for output in outputs if Path(output[1]).name == path.name), outputs[0])
        return Finding(str(path), INTACT, record.rule, f"a copy of {name}"), record
    recipe = read_recipe_digest(path)
    by_recipe = (record for record in records if recipe and record.content.get(RECIPE_DIGEST) == recipe)
    if (maker := next(by_recipe, None)) is None:
        carried = f"not even one with the recipe {recipe} that it carries" if recipe else "and it carries no recipe"
        return Finding(str(path), ORPHAN, detail=f"no record names these bytes, {carried}"), None
    names = ", ".join(file["path"] for file in maker.outputs)
    return Finding(str(path), CHANGED, maker.rule, f"it carries the recipe of the job that made {names}"), maker


def read_recipe_digest(path: str | Path) -> str | None:
    """The digest of the recipe in a zip, HDF5, Parquet or safetensors file; None where it has none, or is damaged."""
    readers = {".zip": _of_zip, ".hdf5": _of_hdf5, ".parquet": _of_parquet, ".safetensors": _of_safetensors}
    reader = readers.get(Path(path).suffix)
    with suppress(Exception):  # what damaged data make libraries raise has no bounds
        return reader(path) if reader else None
    return None


def _newest_first(evidence: Evidence) -> Iterator[Record]:
    yield from evidence.records
    yield from (entry.parsed() for entry in reversed(evidence.ledger.records))


def _of_zip(path: str | Path) -> str | None:
    with zipfile.ZipFile(path) as archive:
        return read_comment(archive).get(RECIPE_DIGEST)


def _of_hdf5(path: str | Path) -> str | None:
    with h5py.File(path, "r", locking=False) as file:
        return file.attrs.get(RECIPE_DIGEST)


def _of_parquet(path: str | Path) -> str | None:
    digest = (pq.read_metadata(path).metadata or {}).get(RECIPE_DIGEST.encode())
    return digest and digest.decode()


def _of_safetensors(path: str | Path) -> str | None:
    with safe_open(path, "np") as file:
        return (file.metadata() or {}).get(RECIPE_DIGEST)
