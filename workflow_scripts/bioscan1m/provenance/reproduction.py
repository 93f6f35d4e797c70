"""Run the job of a record again in a folder of its own, from the inputs that it had, and compare the bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan1m.errors import InputError
from bioscan1m.provenance.audit import read_evidence
from bioscan1m.provenance.file_digests import digests_today
from bioscan1m.provenance.provenance import file_digest
from bioscan1m.provenance.recipe import RECIPE_DIGEST, digest_without_recipe
from bioscan1m.provenance.records import Record, by_output

REPOSITORY = Path(__file__).parents[3]
# What a run makes; all else that lies in its folder (config, manifest, sources) is shown to the job.
MADE = ("results", "data", "logs", "benchmarks", ".snakemake")


@dataclass(frozen=True)
class Reproduction:
    """The outputs of a job by whether they came out equal, and what was not as it was then."""

    equal: list[str]
    different: list[str]
    changes: list[str]


def reproduce(run: str | Path, path: str, scratch: str | Path) -> Reproduction:
    """Run the job that made `path` (relative to the run) again in the empty folder `scratch`, with links to its inputs.

    Raises InputError where no record names the file, an input has other bytes than it had, or the job fails.
    """
    run, scratch = Path(run).resolve(), Path(scratch).resolve()
    records = read_evidence(run).records
    made = by_output(records)
    if path not in made:
        raise InputError(f"{path}: no record names it as the output of a job")
    record = made[path][0]
    _require_inputs(run, record)
    _show_inputs(run, record, scratch)
    again = _run_again(record, scratch)
    equal = [file["path"] for file in record.outputs if _is_equal(file, record, run, again, scratch)]
    different = [file["path"] for file in record.outputs if file["path"] not in equal]
    return Reproduction(equal, different, _changes(record, again))


def _require_inputs(run: Path, record: Record) -> None:
    today = digests_today(run, [record], [], 1.0, ())
    for file in record.inputs:
        if today.get(file["path"]) != file["sha256"]:
            state = "is not there any more" if file["path"] not in today else "has other bytes than it had"
            raise InputError(f"{file['path']}, an input of {record.rule}, {state}: the job cannot be run as it was")


def _show_inputs(run: Path, record: Record, scratch: Path) -> None:
    """Links to what lies in the folder of the run and is not made there, and to the inputs of the job."""
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
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", str(scratch), *targets]
    cores = ["--cores", str(len(os.sched_getaffinity(0))), "--quiet", "all", "--rerun-triggers", "mtime"]
    done = subprocess.run(
        [*command, *cores], cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        raise InputError(f"{record.rule} failed in {scratch}:\n{done.stdout[-2000:]}")
    return by_output(read_evidence(scratch).records)[record.outputs[0]["path"]][0]


def _is_equal(file: dict[str, Any], record: Record, run: Path, again: Record, scratch: Path) -> bool:
    """Whether an output came out with equal bytes; where other code made it again, equal but for the recipe in it."""
    path, digests = file["path"], {made["path"]: made["sha256"] for made in again.outputs}
    if path not in digests or digests[path] == file["sha256"]:
        return path in digests
    recipes = [one.content.get(RECIPE_DIGEST, "") for one in (record, again)]
    if "" in recipes or not (run / path).is_file() or file_digest(run / path) != file["sha256"]:
        return False
    return digest_without_recipe(run / path, recipes[0]) == digest_without_recipe(scratch / path, recipes[1])


def _changes(record: Record, again: Record) -> list[str]:
    """What of the code, the parameters, the software and the machine is not what it was."""
    keys = ("code", "parameters", "seed", "software", "machine")
    pairs = [(key, record.content.get(key), again.content.get(key)) for key in keys]
    parts = []
    for key, before, now in pairs:
        if isinstance(before, dict) and isinstance(now, dict):
            parts += [(name, before.get(name), now.get(name)) for name in sorted({*before, *now})]
        else:
            parts.append((key, before, now))
    return [f"{name} was {before}, is {now}" for name, before, now in parts if before != now and name != "slurm_job_id"]
