"""Run the job of a record again in a new folder, from the inputs that it had, and compare the bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bioscan1m.audit.evidence import read_evidence
from bioscan1m.audit.file_digests import digests_today
from bioscan1m.audit.run_files import Opening
from bioscan1m.foundation.checkout import run_snakemake
from bioscan1m.foundation.digests import file_digest
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.recipe_hook import RECIPE_DIGEST
from bioscan1m.jobs.recipe import digest_without_recipe
from bioscan1m.jobs.records import RECORDS, Record, by_output

# What a run makes; the job gets links to all else in its folder (config, manifest, sources).
MADE = ("results", "data", "logs", "benchmarks", ".snakemake")
# Outputs that hold times of the job, so that no two runs of it have the same bytes.
TIMED = ("speed.tsv", "events.tfevents")
# Script -> why the bytes that it writes do not follow from the inputs of its job.
NOT_REPRODUCIBLE = {
    "seal_records": "it seals the records of all jobs, which are no inputs of it, with the time of day",
    "export_crate": "it describes the records of all jobs and their files, which are no inputs of it",
    "audit_results": "it compares all files with their records, which are no inputs of it; audit_run.py does so anew",
}


@dataclass(frozen=True)
class Reproduction:
    """The outputs of a job by whether their bytes are equal, and what has changed since in its code and the like.

    `timed` are outputs that hold times, which are not compared.
    """

    equal: list[str]
    different: list[str]
    timed: list[str]
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
        InputError: no record names the file, its job is not reproducible, an input has other bytes than it had, or the
            job fails.
    """
    run, scratch = Path(run).resolve(), Path(scratch).resolve()
    records = read_evidence(run).records
    made = by_output(records)
    if path not in made:
        raise InputError(f"{path}: no record names it as the output of a job")
    record = made[path][0]
    _require_reproducible(record)
    _require_inputs(run, record)
    folder = lay_out_inputs(run, record, scratch)
    again = _run_again(record, folder)
    before, after = _Made(run, record), _Made(folder, again)
    outputs = [file["path"] for file in record.outputs]
    timed = [output for output in outputs if Path(output).name in TIMED]
    equal = [output for output in outputs if output not in timed and _is_equal(output, before, after)]
    different = [output for output in outputs if output not in {*timed, *equal}]
    return Reproduction(equal, different, timed, _changes(record, again))


def _require_reproducible(record: Record) -> None:
    script = record.content["code"].partition(":")[0]
    if script in NOT_REPRODUCIBLE:
        raise InputError(f"{record.rule} is not reproducible: {NOT_REPRODUCIBLE[script]}")


def _require_inputs(run: Path, record: Record) -> None:
    opening = Opening(run, [file["path"] for file in record.inputs])
    today = digests_today(run, [record], present=(), share=1.0, hashed=(), opening=opening)
    for file in record.inputs:
        if today.get(file["path"]) != file["sha256"]:
            state = "is not there any more" if file["path"] not in today else "has other bytes than it had"
            raise InputError(f"{file['path']}, an input of {record.rule}, {state}: the job cannot be run as it was")


def lay_out_inputs(run: Path, record: Record, scratch: Path) -> Path:
    """Lay out a folder to run the job in: links to its inputs, and to all in the folder of the run that no job made.

    It lies as deep in `scratch` as relative paths lead out of the run, so that these lead to links as well.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    if any(scratch.iterdir()):
        raise InputError(f"{scratch}: not empty; name a new folder")
    outside = _paths_out_of(run, record)
    depth = max((path.parts.count("..") for path in outside), default=0)
    folder = scratch.joinpath(*run.parts[max(1, len(run.parts) - depth) :])
    folder.mkdir(parents=True, exist_ok=True)
    for path in outside:
        _link(Path(os.path.normpath(folder / path)), Path(os.path.normpath(run / path)), scratch)
    given = [path for path in run.iterdir() if path.name not in MADE]
    inputs = [run / file["path"] for file in record.inputs if Path(file["path"]).parts[0] in MADE]
    for path in {*given, *inputs}:
        _link(folder / path.relative_to(run), path, scratch)
    return folder


def _link(link: Path, target: Path, scratch: Path) -> None:
    """Make a link in the scratch folder to what is there, where nothing leads to it yet."""
    if target.exists() and link.is_relative_to(scratch) and not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)


def _paths_out_of(run: Path, record: Record) -> list[Path]:
    """The relative paths in inputs, parameters and config that lead out of the run and to what is not around it.

    Sorted, so that a folder comes before what is in it.
    """
    config = run / "config.yaml"
    settings = yaml.safe_load(config.read_text(encoding="utf-8")) if config.is_file() else {}
    named = _texts([record.parameters, record.inputs, settings])
    paths = sorted(path for path in set(map(os.path.normpath, named)) if path.startswith("../"))
    targets = {path: Path(os.path.normpath(run / path)) for path in paths}
    return [
        Path(path) for path, target in targets.items() if not (target.is_relative_to(run) or run.is_relative_to(target))
    ]


def _texts(settings: Any) -> Iterator[str]:
    """All texts in nested settings."""
    if isinstance(settings, str):
        yield settings
    elif isinstance(settings, dict | list):
        for part in settings.values() if isinstance(settings, dict) else settings:
            yield from _texts(part)


def _run_again(record: Record, folder: Path) -> Record:
    rule = Path(record.path).relative_to(RECORDS).parts[0]  # the record has its name in another workflow's module
    targets = [record.outputs[0]["path"], "--force", "--allowed-rules", rule, "--notemp"]
    cores = ["--cores", str(len(os.sched_getaffinity(0))), "--quiet", "all", "--rerun-triggers", "mtime"]
    done = run_snakemake(folder, [*targets, *cores])
    if done.returncode:
        raise InputError(f"{record.rule} failed in {folder}:\n{done.stdout[-2000:]}")
    return by_output(read_evidence(folder).records)[record.outputs[0]["path"]][0]


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
