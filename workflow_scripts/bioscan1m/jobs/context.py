"""The frame of every job: a log, clear errors, and a record that is written last and means done."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bioscan1m.foundation.digests import describe_files
from bioscan1m.foundation.disk_errors import advice_on_disk
from bioscan1m.foundation.errors import InputError, shortened
from bioscan1m.foundation.gpu_allocation import allowing_cpu
from bioscan1m.foundation.image_reading import Reading, reading_images
from bioscan1m.foundation.recipe_hook import writing_by_recipe
from bioscan1m.jobs.environment import machine, now, peak_memory, project_version, software, source_state
from bioscan1m.jobs.formats import format_of
from bioscan1m.jobs.inputs import describing_inputs
from bioscan1m.jobs.ledger import head_hash
from bioscan1m.jobs.planned import require_as_planned
from bioscan1m.jobs.recipe import as_recorded, recipe_digest
from bioscan1m.jobs.records import write_record

logger = logging.getLogger(__name__)


@dataclass
class JobRecord:
    """What a job adds to its record: images in, out and quarantined, and the seed if it has one."""

    images: dict[str, int] = field(default_factory=dict)
    seed: int | None = None


@contextmanager
def job(snakemake: Any, refuse_damaged: bool = True) -> Iterator[JobRecord]:
    """Log to the rule's log file and to standard error, turn bad input into one message, write the record at the end.

    A full disk, and what else the disk may refuse, is one message as well.
    `snakemake` is the object that Snakemake gives to a script; its outputs must have a file named `record`.
    An input that is not as its job made it is an error, except in a job whose task is to find such files.
    The log of an attempt that fails or is killed stays under a second name.
    """
    _configure_logging(snakemake.log[0])
    kept_log = _keep_log(snakemake.log[0])
    added, began = JobRecord(), {"ledger": head_hash("."), "started": now()}
    try:
        require_as_planned(snakemake)
        with describing_inputs(list(snakemake.input), refuse_damaged) as described_inputs:
            images = Reading(**snakemake.params.get("images", {}))
            cpu = allowing_cpu(snakemake.config.get("cpu_instead_of_gpu", False))
            with _recipe_in_files(snakemake, described_inputs), reading_images(images), cpu:
                yield added
            record = _record(snakemake, added, described_inputs()) | began | {"ended": now()}
            write_record(snakemake.output.record, record)
    except InputError as error:
        logger.error("%s: %s", snakemake.rule, shortened(error))
        sys.exit(1)
    except BaseException as error:
        advice = advice_on_disk(error, list(snakemake.input))
        if advice is None:
            logger.exception("%s failed", snakemake.rule)
            raise
        logger.error("%s: %s", snakemake.rule, advice)
        sys.exit(1)
    kept_log.unlink(missing_ok=True)  # of a job that is done one log suffices


def _configure_logging(log: str) -> None:
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    Path(log).unlink(missing_ok=True)  # and not emptied, for it may be the log of an earlier attempt by another name
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        handlers=[logging.FileHandler(log, encoding="utf-8"), logging.StreamHandler()],
        force=True,
    )
    logging.captureWarnings(True)


def _keep_log(log: str) -> Path:
    """Give a log a second name, with the time, because Snakemake removes the first one before the next attempt."""
    kept = Path(log).with_suffix(f".{datetime.now(UTC):%Y-%m-%dT%H%M%S.%fZ}.log")
    with suppress(OSError):  # a file system without hard links
        kept.hardlink_to(log)
    return kept


def _recipe_in_files(snakemake: Any, described_inputs: Callable[[], list[dict[str, Any]]]) -> AbstractContextManager:
    """Put the digest of the recipe into files; not into fetched ones, which do not depend on the code."""
    if "code" in snakemake.params.get("unwatched", []):
        return nullcontext()
    return writing_by_recipe(lambda: recipe_digest(_recipe(snakemake, described_inputs())))


def _recipe(snakemake: Any, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    """The part of the record that is known before the job makes anything, as plain JSON."""
    parameters = dict(snakemake.params.items())
    ancient = _paths(snakemake.input, parameters.pop("ancient", []))
    recipe = {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "inputs": [file | ({"ancient": True} if file["path"] in ancient else {}) for file in inputs],
        "unwatched": parameters.pop("unwatched", []),
        "parameters": {name: value for name, value in parameters.items() if name != "code"},
        "code": parameters["code"],
    }
    return as_recorded(recipe)


def _record(snakemake: Any, added: JobRecord, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    recipe = _recipe(snakemake, inputs)
    return {
        **recipe,
        "recipe_digest": recipe_digest(recipe),
        "format": format_of(recipe["code"].partition(":")[0]),
        "outputs": describe_files([path for path in snakemake.output if path != snakemake.output.record]),
        "seed": added.seed,
        "images": added.images,
        "version": project_version(),
        "source": source_state(),
        "software": software(),
        "machine": machine(),
        "peak_memory_bytes": peak_memory(),
    }


def _paths(files: Any, names: list[str]) -> set[str]:
    """The paths of the inputs of these names, each of one file or of several."""
    named = [files.get(name, []) for name in names]
    return {path for value in named for path in ([value] if isinstance(value, str) else value)}
