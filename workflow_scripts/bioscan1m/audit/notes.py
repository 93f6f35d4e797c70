"""Snakemake's notes on the files of a run, made to agree with the records of the jobs that made these files.

Snakemake compares the plan with its notes (`.snakemake/metadata`), not with records, and its notes can be wrong: a job
whose head process was killed has none, `--touch` notes today's parameters for old files, a copied run may have lost
them. A record is written by the job itself, so it decides: before Snakemake plans, each note that is missing or has
other parameters, code or inputs than the record is written from the record. Where today's plan then differs, Snakemake
runs the job again by its own rules.

A note is a JSON file whose path is that of the output in base 64, cut into folders whose names begin with @ where it is
long (snakemake/persistence/file.py, record format 6). Its parameters are Python's texts of the values, sorted.
"""

from __future__ import annotations

import ast
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from bioscan1m.foundation.atomic import replace_text
from bioscan1m.jobs.planned import PlannedJob, parameters_made_by
from bioscan1m.jobs.recipe import as_recorded
from bioscan1m.jobs.records import Record, by_output

FOLDER = Path(".snakemake")
METADATA = FOLDER / "metadata"
FORMAT = 6  # of the notes; Snakemake compares no parameters of older ones
LARGEST_NAME = 255  # bytes, of a file; Snakemake asks the file system
COMPARED_BYTES = 1_000_000  # Snakemake compares the content of inputs up to this size (--max-checksum-file-size)


class Note(NamedTuple):
    """What Snakemake is to note of the job of one file: where, and the content."""

    file: Path
    content: dict[str, Any]


def wrong_notes(run: Path, records: Sequence[Record], jobs: Mapping[str, PlannedJob], accepted: set[str]) -> list[Note]:
    """The notes that are missing or differ from the records, as they should be.

    Args:
        run: folder of the run.
        records: the records that count.
        jobs: today's plan, by the paths of the records; records of other jobs are left out.
        accepted: paths of the records whose results were accepted for today's code.

    Returns:
        The notes to write, none where all agree.
    """
    made = {path: file["sha256"] for path, (_, file) in by_output(records).items()}
    return [
        note
        for record in records
        if record.path in jobs
        for note in _wrong_notes_of(run, record, jobs[record.path], record.path in accepted, made)
    ]


def write_notes(run: Path, notes: Iterable[Note]) -> None:
    """Put notes in the place of those that are there."""
    for note in notes:
        # Without this folder Snakemake takes its notes for those of an early version.
        (run / FOLDER / "incomplete").mkdir(parents=True, exist_ok=True)
        replace_text(note.file, json.dumps(note.content))  # another call may write the same


def note_file(run: Path, path: str) -> Path:
    """The file of Snakemake's note on an output."""
    name = urlsafe_b64encode(path.encode()).decode()
    pieces = [name[start : start + LARGEST_NAME - 1] for start in range(0, len(name), LARGEST_NAME - 1)]
    return run.joinpath(METADATA, *(f"@{piece}" for piece in pieces[:-1]), pieces[-1])


def _wrong_notes_of(
    run: Path, record: Record, job: PlannedJob, accepted: bool, made: Mapping[str, str]
) -> Iterator[Note]:
    made_by = parameters_made_by(record, job)
    if accepted and "code" in made_by:
        made_by["code"] = job.parameters["code"]
    inputs = sorted(file["path"] if _is_current(file, made) else _as_read(file) for file in record.inputs)
    for path in (*(file["path"] for file in record.outputs), record.path):
        file = note_file(run, path)
        noted = read_note(file)
        params = _texts(made_by, job, noted.get("params") or [])
        same = set(noted.get("params") or []) == set(params) and noted.get("input") == inputs
        if not same or noted.get("record_format_version") != FORMAT:
            yield Note(file, _written_from(record, noted, params, inputs))


def _is_current(file: Mapping[str, Any], made: Mapping[str, str]) -> bool:
    """Whether an input has the bytes still that its job read; `made` has what the newest records have of each file."""
    return bool(file.get("ancient")) or made.get(file["path"], file["sha256"]) == file["sha256"]


def _as_read(file: Mapping[str, Any]) -> str:
    return f"{file['path']} of sha256:{file['sha256']}"


def read_note(file: Path) -> dict[str, Any]:
    """A note; empty where there is none, or none that Snakemake could read either."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _texts(made_by: Mapping[str, Any], job: PlannedJob, noted: list[str]) -> list[str]:
    """Parameters as Snakemake notes them: with the text of today's plan where the value is the same.

    A record has addresses without their secrets. Of these the noted text stays, if it is that of the recorded value.
    """
    texts = []
    for name, value in made_by.items():
        today = job.parameters.get(name)
        if name in job.parameters and json.loads(json.dumps(today)) == value:
            texts.append(repr(today))
        else:
            texts.append(next((text for text in noted if _is_text_of(value, text)), repr(value)))
    return sorted(texts)


def _is_text_of(value: Any, text: str) -> bool:
    try:
        return as_recorded(ast.literal_eval(text)) == value
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def _written_from(record: Record, noted: dict[str, Any], params: list[str], inputs: list[str]) -> dict[str, Any]:
    small = (file for file in record.inputs if file["bytes"] <= COMPARED_BYTES)
    ended = _seconds(record.ended)
    return {
        "conda_env": None,
        "software_stack_hash": None,
        **noted,
        "rule": record.rule,
        "input": inputs,
        "params": params,
        "input_checksums": {file["path"]: f"sha256:{file['sha256']}" for file in small},
        "record_format_version": FORMAT,
        "incomplete": False,
        "starttime": _seconds(record.content.get("started", "")) or ended,
        "endtime": ended,
    }


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() if time else 0.0
