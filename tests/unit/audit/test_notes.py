"""Snakemake's notes agree with the records after a call: what a record says of its job, Snakemake compares."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from snakemake.persistence.file import FilePersistence

from bioscan1m.audit.evidence import read_sound_records
from bioscan1m.audit.notes import Note, note_file, write_notes
from bioscan1m.audit.todays_plan import notes_to_correct
from bioscan1m.foundation.digests import describe_files, file_digest
from bioscan1m.jobs.acceptance import ACCEPTED, Acceptance, Decision
from bioscan1m.jobs.ledger import HEAD, LEDGER
from bioscan1m.jobs.planned import JobPlan, PlannedJob
from bioscan1m.jobs.recipe import as_recorded
from bioscan1m.jobs.records import write_record
from bioscan1m.jobs.sealing import seal_statement

CHUNK, CROPPED = "data/chunks/part1.zip", f"results/{'deep/' * 60}part1.zip"
RECORD = "results/provenance/records/crop_chunk/part1.json"
FETCHED = "results/provenance/records/fetch_chunk/part1.json"
TODAY: dict[str, Any] = {"crop": {"rounding": "nearest", "ratio": 1.4}, "code": "crop_chunk:0123456789abcdef"}


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk was cropped as it would be today."""
    monkeypatch.chdir(tmp_path)
    for path in (CHUNK, CROPPED):
        Path(path).parent.mkdir(parents=True)
        Path(path).write_text(path)
    cropped()


def cropped(**parameters: Any) -> None:
    """The record of a job with these parameters in place of today's; like each record its keys are sorted."""
    made_by = as_recorded(TODAY | parameters)
    code = made_by.pop("code")
    described = {"inputs": describe_files([CHUNK]), "outputs": describe_files([CROPPED])}
    plain = json.loads(json.dumps({"parameters": made_by | {"limit": 0.1}, "unwatched": ["limit"]}, sort_keys=True))
    write_record(RECORD, {"rule": "crop_chunk", "code": code, "ended": "2026-01-01T12:30:00+00:00"} | described | plain)


def plan(**parameters: Any) -> JobPlan:
    return JobPlan({RECORD: PlannedJob("crop_chunk", TODAY | parameters, ("limit", "unwatched"), in_run=True)}, {}, {})


def call(**parameters: Any) -> int:
    """Snakemake is called, with a plan of these parameters in place of today's; how many notes were corrected."""
    notes = notes_to_correct(Path(), plan(**parameters))
    write_notes(Path(), notes)
    return len(notes)


def noted(path: str) -> Any:
    """The note of a file as Snakemake reads it."""
    return FilePersistence()._read_record(path)


def runs_again(**parameters: Any) -> bool:
    """Whether Snakemake, which compares the texts of parameters as a set, would run the job again."""
    return any(set(noted(path).params) != set(map(repr, (TODAY | parameters).values())) for path in (CROPPED, RECORD))


def test_lost_notes_are_written_from_the_record() -> None:
    assert call() == 2 and not runs_again() and noted(CROPPED).input == [CHUNK]
    assert noted(CROPPED).record_format_version == 6 and noted(CROPPED).endtime > 0
    assert noted(CROPPED).input_checksums == {CHUNK: f"sha256:{file_digest(CHUNK)}"}
    assert call() == 0


def test_a_job_that_was_made_by_other_parameters_or_other_code_runs_again_whatever_the_notes_are() -> None:
    for other in ({"crop": {"rounding": "nearest", "ratio": 1.5}}, {"code": "crop_chunk:fedcba9876543210"}):
        call()
        assert not runs_again()
        cropped(**other)
        assert call() == 2 and runs_again()
        call(**other)
        assert not runs_again(**other)
        cropped()


def test_a_new_parameter_and_one_that_is_gone_run_it_again() -> None:
    call(images={"profile": "srgb"})
    assert runs_again(images={"profile": "srgb"})
    cropped(images={"profile": "srgb"})
    call()
    assert runs_again()


def test_what_was_accepted_for_todays_code_does_not_run_again() -> None:
    cropped(code="crop_chunk:fedcba9876543210")
    accepted = (Acceptance("crop_chunk", "crop_chunk:fedcba9876543210", TODAY["code"], 1),)
    seal_statement(LEDGER, HEAD, Decision(ACCEPTED, accepted, "Ada", "2026-02-01T00:00:00+00:00", "the same"))
    call()
    assert not runs_again()


def test_a_note_on_other_inputs_is_corrected() -> None:
    call()
    note = note_file(Path(), CROPPED)
    note.write_text(json.dumps(json.loads(note.read_text()) | {"input": ["data/chunks/part2.zip"]}))
    assert call() == 1 and noted(CROPPED).input == [CHUNK]


@pytest.mark.parametrize("ancient", [False, True])
def test_a_job_that_read_other_bytes_runs_again_unless_they_are_ancient_whatever_the_times_are(ancient: bool) -> None:
    described = {"inputs": [], "outputs": describe_files([CHUNK]), "parameters": {}, "code": "fetch_chunk:0"}
    write_record(FETCHED, {"rule": "fetch_chunk", "ended": "2026-01-01T00:00:00+00:00", **described})
    if ancient:
        content = json.loads(Path(RECORD).read_text())
        content["inputs"][0]["ancient"] = True
        write_record(RECORD, content)
    assert call() == 2 and noted(CROPPED).input == [CHUNK]
    Path(CHUNK).write_text("other photographs")
    described["outputs"] = describe_files([CHUNK])
    write_record(FETCHED, {"rule": "fetch_chunk", "ended": "2026-01-02T00:00:00+00:00", **described})
    assert call() == (0 if ancient else 2)
    assert (noted(CROPPED).input == [CHUNK]) is ancient


@pytest.mark.parametrize("text", ["", "{", "[]", '{"params": null}'])
def test_a_damaged_note_is_written_anew(text: str) -> None:
    call()
    note_file(Path(), CROPPED).write_text(text)
    assert call() == 1 and not runs_again()


def test_secrets_in_addresses_are_compared_with_the_note_where_there_is_one() -> None:
    """A record has none, so without the note Snakemake fetches again."""
    address, renewed = (f"https://example.org/part1.zip?token={token}" for token in ("old", "new"))
    cropped(source=address)
    call(source=address)
    assert runs_again(source=address)
    for path in (CROPPED, RECORD):
        content = json.loads(note_file(Path(), path).read_text())
        texts = [repr(address) if "example.org" in text else text for text in content["params"]]
        note_file(Path(), path).write_text(json.dumps(content | {"params": texts}))
    assert call(source=address) == 0 and not runs_again(source=address)
    assert call(source=renewed) == 0 and runs_again(source=renewed)


def test_records_that_cannot_be_read_or_of_no_job_of_today_change_no_note() -> None:
    call()
    shutil.copy(RECORD, f"{RECORD[:-5]}2.json")
    Path(RECORD).write_text("{")
    assert call() == 0 and len(read_sound_records(".")) == 1


def test_a_note_is_written_whatever_the_length_of_its_name():
    notes = [Note(note_file(Path(), "n" * length), {"input": []}) for length in range(170, 210)]
    write_notes(Path(), notes)
    assert all(json.loads(note.file.read_text()) == note.content for note in notes)
