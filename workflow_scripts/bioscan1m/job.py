"""What every job has around its work: a log, clear errors, and a record that is written last and means done."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bioscan1m.disk_troubles import advice_on_disk
from bioscan1m.errors import InputError
from bioscan1m.fetch.sources import without_secrets
from bioscan1m.provenance.job_inputs import describing_inputs
from bioscan1m.provenance.ledger import head_hash
from bioscan1m.provenance.provenance import describe_files, machine, now, peak_memory, software, source_state
from bioscan1m.provenance.recipe import recipe_digest, writing_by_recipe
from bioscan1m.provenance.records import write_record

logger = logging.getLogger(__name__)


@dataclass
class JobRecord:
    """What a job adds to its record: images in, out and quarantined, and the seed if it has one."""

    images: dict[str, int] = field(default_factory=dict)
    seed: int | None = None


@contextmanager
def job(snakemake: Any) -> Iterator[JobRecord]:
    """Log to the rule's log file and to standard error, turn bad input into one message, write the record at the end.

    A full disk, and what else the disk may refuse, is one message as well.
    `snakemake` is the object that Snakemake gives to a script; its outputs must have a file named `record`.
    """
    _configure_logging(snakemake.log[0])
    added, began = JobRecord(), {"ledger": head_hash("."), "started": now()}
    try:
        with describing_inputs(list(snakemake.input)) as described_inputs:
            with _recipe_in_files(snakemake, described_inputs):
                yield added
            record = _record(snakemake, added, described_inputs()) | began | {"ended": now()}
            write_record(snakemake.output.record, record)
    except InputError as error:
        logger.error("%s: %s", snakemake.rule, error)
        sys.exit(1)
    except BaseException as error:
        advice = advice_on_disk(error, list(snakemake.input))
        if advice is None:
            logger.exception("%s failed", snakemake.rule)
            raise
        logger.error("%s: %s", snakemake.rule, advice)
        sys.exit(1)


def _configure_logging(log: str) -> None:
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=[logging.FileHandler(log, mode="w", encoding="utf-8"), logging.StreamHandler()],
        force=True,
    )
    logging.captureWarnings(True)


def _recipe_in_files(snakemake: Any, described_inputs: Callable[[], list[dict[str, Any]]]) -> AbstractContextManager:
    """Let files carry the digest of the recipe; not those that are fetched, which other code fetches the same."""
    if "code" in snakemake.params.get("unwatched", []):
        return nullcontext()
    return writing_by_recipe(lambda: recipe_digest(_recipe(snakemake, described_inputs())))


def _recipe(snakemake: Any, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    """What was known of the job before it made anything, as plain JSON."""
    parameters = dict(snakemake.params.items())
    ancient = _paths(snakemake.input, parameters.pop("ancient", []))
    recipe = {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "inputs": [file | ({"ancient": True} if file["path"] in ancient else {}) for file in inputs],
        "unwatched": parameters.pop("unwatched", []),
        "parameters": {name: _without_secrets(value) for name, value in parameters.items() if name != "code"},
        "code": parameters["code"],
    }
    return json.loads(json.dumps(recipe))


def _record(snakemake: Any, added: JobRecord, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    recipe = _recipe(snakemake, inputs)
    return {
        **recipe,
        "recipe_digest": recipe_digest(recipe),
        "outputs": describe_files([path for path in snakemake.output if path != snakemake.output.record]),
        "seed": added.seed,
        "images": added.images,
        "source": source_state(),
        "software": software(),
        "machine": machine(),
        "peak_memory_bytes": peak_memory(),
    }


def _paths(files: Any, names: list[str]) -> set[str]:
    """The paths of the inputs of these names, each of one file or of several."""
    named = [files.get(name, []) for name in names]
    return {path for value in named for path in ([value] if isinstance(value, str) else value)}


def _without_secrets(value: Any) -> Any:
    """Parameters as they may be kept: addresses lose their user, password and query, where tokens may stand."""
    if isinstance(value, dict):
        return {key: _without_secrets(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_secrets(part) for part in value]
    return without_secrets(value) if isinstance(value, str) and value.startswith(("http://", "https://")) else value
