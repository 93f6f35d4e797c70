"""Records that were lost, written anew: as the ledger has them, else from the files and Snakemake's notes.

What the ledger has of a record is its text, byte by byte. Where that is lost too, Snakemake's notes have the rule, the
inputs, the parameters and the times of the job of each file. A record can be written from them where these parameters
are those of today's plan, which has their names; the SHA-256 are those of the files as they are now, so such a record
is marked as reconstructed: it proves nothing about the time before.
"""

from __future__ import annotations

import os
import re
from base64 import urlsafe_b64decode
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bioscan1m.audit.notes import METADATA, note_file, read_note
from bioscan1m.foundation.atomic import write_text
from bioscan1m.foundation.digests import describe_files, file_digest
from bioscan1m.jobs.formats import format_of
from bioscan1m.jobs.ledger import LEDGER, read_ledger
from bioscan1m.jobs.planned import JobPlan, PlannedJob
from bioscan1m.jobs.recipe import as_recorded, recipe_digest
from bioscan1m.jobs.records import Record, write_record

Job = tuple[str, ...]  # what no other job has: its rule and logs, or by a note from a record inputs and times
DIGEST = ".digest.json"  # the input of a training that is a reason to train again, in place of package and split


@dataclass
class Restoration:
    """The paths of records that were lost: written from the ledger, reconstructed, and neither, with the reason."""

    sealed: list[str] = field(default_factory=list)
    reconstructed: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


def restore_records(run: Path, plan: JobPlan, when: str, write: bool = True) -> Restoration:
    """Write the lost records of the jobs of today's plan anew.

    Args:
        run: folder of the run.
        plan: today's plan.
        when: the time, UTC, ISO 8601, for the mark of those that are reconstructed.
        write: whether to write them, or only to find which can be written.

    Returns:
        What became of each lost record of a job whose files are there, or were sealed.
    """
    restoration, ledger = Restoration(), read_ledger(run / LEDGER)
    lost = [path for path, job in plan.jobs.items() if job.in_run and not (run / path).exists()]
    made = _files_of_jobs(run) if any(path not in ledger.newest for path in lost) else {}
    for path in _in_order(run, lost):
        if path in ledger.newest:
            _restore_sealed(run, ledger.newest[path].parsed(), write, restoration)
        elif note := read_note(note_file(run, path)):
            content = _reconstructed(run, path, plan.jobs[path], note, made, restoration.reconstructed)
            if isinstance(content, str):
                restoration.left[path] = content
                continue
            if write:
                write_record(run / path, content | {"reconstructed": when})
                _set_time(run, path, content["outputs"])
            restoration.reconstructed.append(path)
    return restoration


def _in_order(run: Path, lost: list[str]) -> list[str]:
    """Records, but those that were inputs of a job before that of this job."""
    inputs = {path: set(read_note(note_file(run, path)).get("input") or ()) & set(lost) for path in lost}
    ordered = [path for path in lost if not inputs[path]]
    while left := [path for path in lost if path not in ordered]:
        ready = [path for path in left if inputs[path] <= set(ordered)]
        ordered += ready or left
    return ordered


def _restore_sealed(run: Path, record: Record, write: bool, restoration: Restoration) -> None:
    if changed := [file["path"] for file in record.outputs if not _is_as_recorded(run, file)]:
        restoration.left[record.path] = f"{changed[0]} is not as the ledger has it"
        return
    if write:
        write_text(run / record.path, record.text)
        _set_time(run, record.path, record.outputs)
    restoration.sealed.append(record.path)


def _set_time(run: Path, path: str, outputs: Iterable[Mapping[str, Any]]) -> None:
    """Give a record the time of the newest file of its job, so that nothing seems to follow from it."""
    times = [(run / file["path"]).stat().st_mtime_ns for file in outputs if (run / file["path"]).exists()]
    if times:
        os.utime(run / path, ns=(max(times),) * 2)


def _is_as_recorded(run: Path, file: Mapping[str, Any]) -> bool:
    place = run / file["path"]
    return place.is_file() and file_digest(place) == file["sha256"]


def _files_of_jobs(run: Path) -> dict[Job, list[str]]:
    """The files of each job by Snakemake's notes."""
    made: dict[Job, list[str]] = defaultdict(list)
    for file in sorted(path for path in (run / METADATA).rglob("*") if path.is_file()):
        name = "".join(part.removeprefix("@") for part in file.relative_to(run / METADATA).parts)
        try:
            path = urlsafe_b64decode(name).decode()
        except ValueError:
            continue
        made[_job_of(read_note(file))].append(path)
    return made


def _job_of(note: Mapping[str, Any]) -> Job:
    """What the notes of the files of one job, and of no other, have in common."""
    logs = note.get("log") or (note.get("starttime"), note.get("endtime"), *(note.get("input") or ()))
    return (str(note.get("rule")), *map(str, logs))


def _reconstructed(
    run: Path,
    path: str,
    job: PlannedJob,
    note: Mapping[str, Any],
    made: Mapping[Job, list[str]],
    before: Collection[str],
) -> dict[str, Any] | str:
    """The content of a record, or why it cannot be known; the records `before` are written, or would be."""
    inputs = [str(name) for name in note.get("input") or ()]
    outputs = [name for name in made[_job_of(note)] if name != path]
    absent = [name for name in (*inputs, *outputs) if name not in before and not (run / name).is_file()]
    if absent:
        return f"{absent[0]} is not there"
    if note.get("rule") != job.rule or set(note.get("params") or ()) != {
        repr(value) for value in job.parameters.values()
    }:
        return "Snakemake notes other parameters than today's"
    if note.get("incomplete"):
        return "Snakemake's note is incomplete"
    times = {name: _utc(note[key]) for name, key in (("started", "starttime"), ("ended", "endtime"))}
    there = [name for name in inputs if (run / name).is_file()]  # all, where what is before was written
    script = re.search(r"workflow_scripts/(\w+)\.py", str(note.get("code")))
    unknown = f"{script[1] if script else job.rule}:unknown"  # code that is no reason to run a job again
    return _content(job, unknown, _described_inputs(run, job, there), _described(run, outputs)) | times


def _content(
    job: PlannedJob, unknown: str, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]
) -> dict[str, Any]:
    """All that a record must have; its wildcards are not known, nor the code that the plan does not have."""
    parameters = as_recorded(job.parameters)
    code = parameters.pop("code", unknown)
    content = {"rule": job.rule, "wildcards": {}, "inputs": inputs, "unwatched": list(job.unwatched)}
    content |= {"parameters": parameters, "code": code}
    return content | {
        "recipe_digest": recipe_digest(content),
        "format": format_of(code.partition(":")[0]),
        "outputs": outputs,
    }


def _described_inputs(run: Path, job: PlannedJob, inputs: list[str]) -> list[dict[str, Any]]:
    """The inputs; where a rule has some that are no reason to run its job again, all count as such but the digests."""
    has_ancient = "ancient" in job.unwatched
    files = _described(run, inputs)
    return [file | ({"ancient": True} if has_ancient and not file["path"].endswith(DIGEST) else {}) for file in files]


def _described(run: Path, paths: list[str]) -> list[dict[str, Any]]:
    files = describe_files([str(run / path) for path in paths])
    return [file | {"path": path} for file, path in zip(files, paths, strict=True)]


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
