"""Lost records are written anew: as they were where the ledger has them, else from files and notes, and marked so."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bioscan1m.audit.evidence import read_sound_records
from bioscan1m.audit.findings import audit
from bioscan1m.audit.notes import note_file, write_notes, wrong_notes
from bioscan1m.audit.restoration import restore_records
from bioscan1m.foundation.digests import describe_files
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.jobs.ledger import LEDGER
from bioscan1m.jobs.planned import JobPlan, PlannedJob
from bioscan1m.jobs.records import RECORDS, read_record, write_record
from bioscan1m.jobs.sealing import seal

CHUNK, CROPS, TABLE, MODEL = "data/part1.zip", "results/part1.zip", "results/part1.tsv", "results/model"
DIGEST = "results/data.digest.json"
JOBS = {
    "fetch_chunk": ([], [CHUNK]),
    "crop_chunk": ([CHUNK], [CROPS, TABLE]),
    "train_classifier": ([CROPS, DIGEST], [MODEL]),
}
WHEN = "2026-03-01T00:00:00+00:00"


def record_of(rule: str) -> str:
    return f"{RECORDS}/{rule}/part1.json"


def plan(ratio: float = 1.4) -> JobPlan:
    jobs = {
        record_of(rule): PlannedJob(
            rule,
            {"crop": {"ratio": ratio}, "code": code_digest(rule)},
            ("ancient", "unwatched") if rule == "train_classifier" else (),
            in_run=True,
        )
        for rule in JOBS
    }
    return JobPlan(jobs, {}, {})


@pytest.fixture(autouse=True)
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A run of three jobs, which Snakemake noted, without a ledger; the bytes of its records."""
    monkeypatch.chdir(tmp_path)
    for paths in ([DIGEST], *(outputs for _, outputs in JOBS.values())):
        for path in paths:
            Path(path).parent.mkdir(exist_ok=True)
            Path(path).write_text(path)
    for rule, (inputs, outputs) in JOBS.items():
        files = {"inputs": describe_files(inputs), "outputs": describe_files(outputs)}
        times = {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:00:09+00:00"}
        content = {"rule": rule, "parameters": {"crop": {"ratio": 1.4}}, "code": code_digest(rule), "unwatched": []}
        write_record(record_of(rule), content | files | times)
    write_notes(Path(), wrong_notes(Path(), read_sound_records("."), plan().jobs, set()))
    return {rule: Path(record_of(rule)).read_bytes() for rule in JOBS}


def test_what_the_ledger_has_is_written_byte_by_byte(records):
    seal(LEDGER, read_sound_records("."), "2026-02-01")
    shutil.rmtree(RECORDS)
    assert sorted(restore_records(Path(), plan(), WHEN, write=False).sealed) == sorted(map(record_of, JOBS))
    assert not Path(RECORDS).exists()
    restore_records(Path(), plan(), WHEN)
    assert {rule: Path(record_of(rule)).read_bytes() for rule in JOBS} == records
    assert {finding.state for finding in audit(".", plan=plan()) if finding.path != DIGEST} == {"intact"}


def test_without_a_ledger_they_are_reconstructed_and_marked():
    shutil.rmtree(RECORDS)
    assert sorted(restore_records(Path(), plan(), WHEN).reconstructed) == sorted(map(record_of, JOBS))
    states = {finding.path: finding.state for finding in audit(".", plan=plan()) if finding.path != DIGEST}
    assert states == dict.fromkeys((CHUNK, CROPS, TABLE, MODEL), "intact") | {
        record_of(rule): "reconstructed record" for rule in JOBS
    }
    crops = read_record(record_of("crop_chunk"))
    assert crops["reconstructed"] == WHEN and crops["ended"] == "2026-01-01T00:00:09+00:00"
    assert [file["path"] for file in crops["outputs"]] == sorted([CROPS, TABLE])
    assert wrong_notes(Path(), read_sound_records("."), plan().jobs, set()) == []  # so Snakemake plans nothing
    assert Path(record_of("crop_chunk")).stat().st_mtime_ns == Path(TABLE).stat().st_mtime_ns


def test_images_of_a_training_are_no_reason_to_train_again_and_their_digest_is():
    shutil.rmtree(RECORDS)
    restore_records(Path(), plan(), WHEN)
    inputs = {file["path"]: file.get("ancient", False) for file in read_record(record_of("train_classifier"))["inputs"]}
    assert inputs == {CROPS: True, DIGEST: False}


def test_what_cannot_be_known_is_left_with_the_reason():
    shutil.rmtree(RECORDS)
    Path(TABLE).unlink()
    note_file(Path(), record_of("fetch_chunk")).write_text("[" * 100_000)
    restoration = restore_records(Path(), plan(), WHEN)
    assert restoration.left == {record_of("crop_chunk"): f"{TABLE} is not there"}
    assert restoration.reconstructed == [record_of("train_classifier")]
    assert restore_records(Path(), plan(ratio=1.5), WHEN).left[record_of("crop_chunk")] == f"{TABLE} is not there"


def test_results_of_other_parameters_are_not_taken_for_todays():
    shutil.rmtree(RECORDS)
    restoration = restore_records(Path(), plan(ratio=1.5), WHEN)
    assert restoration.reconstructed == [] and set(restoration.left.values()) == {
        "Snakemake notes other parameters than today's"
    }


def test_a_sealed_record_of_a_file_with_other_bytes_is_left():
    seal(LEDGER, read_sound_records("."), "2026-02-01")
    shutil.rmtree(RECORDS)
    Path(CROPS).write_text("other crops")
    restoration = restore_records(Path(), plan(), WHEN)
    assert restoration.left == {record_of("crop_chunk"): f"{CROPS} is not as the ledger has it"}


def test_what_is_there_is_left_alone(records):
    restoration = restore_records(Path(), plan(), WHEN)
    assert (restoration.sealed, restoration.reconstructed, restoration.left) == ([], [], {})
    assert {rule: Path(record_of(rule)).read_bytes() for rule in JOBS} == records
