"""Run the job of a record again in a new folder, from the inputs that it had, and compare the bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bioscan1m.audit.evidence import read_evidence
from bioscan1m.audit.file_digests import digests_today
from bioscan1m.audit.run_files import Opening
from bioscan1m.foundation.checkout import run_snakemake
from bioscan1m.foundation.digests import file_digest
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.recipe_hook import RECIPE_DIGEST
from bioscan1m.jobs.recipe import digest_without_recipe
from bioscan1m.jobs.records import Record, by_output

# What a run makes; the job gets links to all else in its folder (config, manifest, sources).
MADE = ("results", "data", "logs", "benchmarks", ".snakemake")


@dataclass(frozen=True)
class Reproduction:
    """The outputs of a job by whether their bytes are equal, and what has changed since in its code and the like."""

    equal: list[str]
    different: list[str]
    changes: list[str]


class _Made:
    """The outputs of a job below a folder: their digests by path, and the digest of the job's recipe, empty if none."""

    def __init__(self, folder: Path, record: Record) -> None:
        self.folder = folder
        self.digests = {file["path"]: file["sha256"] for file in record.outputs}
        self.recipe = record.content.get(RECIPE_DIGEST, "")


def reproduce(run: str | Path, path: str, scratch: str | Path) -> Reproduction:
    """Run a job again, with links to its inputs, and compare its outputs.

    Args:
        run: folder of the run.
        path: an output of the job, relative to the run.
        scratch: empty folder to run the job in.

    Returns:
        Which outputs are equal, and what differs in code, parameters, software and machine.

    Raises:
        InputError: no record names the file, an input has other bytes than it had, or the job fails.
    """
    run, scratch = Path(run).resolve(), Path(scratch).resolve()
    records = read_evidence(run).records
    made = by_output(records)
    if path not in made:
        raise InputError(f"{path}: no record names it as the output of a job")
    record = made[path][0]
    _require_inputs(run, record)
    _link_inputs(run, record, scratch)
    again = _run_again(record, scratch)
    before, after = _Made(run, record), _Made(scratch, again)
    equal = [file["path"] for file in record.outputs if _is_equal(file["path"], before, after)]
    different = [file["path"] for file in record.outputs if file["path"] not in equal]
    return Reproduction(equal, different, _changes(record, again))


def _require_inputs(run: Path, record: Record) -> None:
    opening = Opening(run, [file["path"] for file in record.inputs])
    today = digests_today(run, [record], present=(), share=1.0, hashed=(), opening=opening)
    for file in record.inputs:
        if today.get(file["path"]) != file["sha256"]:
            state = "is not there any more" if file["path"] not in today else "has other bytes than it had"
            raise InputError(f"{file['path']}, an input of {record.rule}, {state}: the job cannot be run as it was")


def _link_inputs(run: Path, record: Record, scratch: Path) -> None:
    """Make links to the inputs of the job, and to all in the folder of the run that no job made."""
    scratch.mkdir(parents=True, exist_ok=True)
    if any(scratch.iterdir()):
        raise InputError(f"{scratch}: not empty; name a new folder")
    given = [path for path in run.iterdir() if path.name not in MADE]
    inputs = [run / file["path"] for file in record.inputs if not Path(file["path"]).is_absolute()]
    for path in {*given, *(path for path in inputs if path.relative_to(run).parts[0] in MADE)}:
        link = scratch / path.relative_to(run)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)


def _run_again(record: Record, scratch: Path) -> Record:
    targets = [record.outputs[0]["path"], "--force", "--allowed-rules", record.rule, "--notemp"]
    cores = ["--cores", str(len(os.sched_getaffinity(0))), "--quiet", "all", "--rerun-triggers", "mtime"]
    done = run_snakemake(scratch, [*targets, *cores])
    if done.returncode:
        raise InputError(f"{record.rule} failed in {scratch}:\n{done.stdout[-2000:]}")
    return by_output(read_evidence(scratch).records)[record.outputs[0]["path"]][0]


def _is_equal(path: str, before: _Made, after: _Made) -> bool:
    """Whether an output has the bytes that it had; the recipe in it may differ, as after a change of the code."""
    if path not in after.digests or after.digests[path] == before.digests[path]:
        return path in after.digests
    original = before.folder / path
    if not (before.recipe and after.recipe and original.is_file()):
        return False
    if file_digest(original) != before.digests[path]:
        return False
    return digest_without_recipe(original, before.recipe) == digest_without_recipe(after.folder / path, after.recipe)


def _changes(record: Record, again: Record) -> list[str]:
    """The differences in code, parameters, seed, software and machine between two runs of a job."""
    keys = ("code", "parameters", "seed", "software", "machine")
    pairs = [(key, record.content.get(key), again.content.get(key)) for key in keys]
    parts = []
    for key, before, now in pairs:
        if isinstance(before, dict) and isinstance(now, dict):
            parts += [(name, before.get(name), now.get(name)) for name in sorted({*before, *now})]
        else:
            parts.append((key, before, now))
    return [f"{name} was {before}, is {now}" for name, before, now in parts if before != now and name != "slurm_job_id"]
