"""Inputs are described truly and compared with the records; large ones are not hashed twice."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bioscan1m.foundation.digests import describe_file, describe_files, file_digest
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs import inputs as job_inputs
from bioscan1m.jobs.inputs import describing_inputs
from bioscan1m.jobs.records import RECORDS, write_record

RECORD = Path(RECORDS) / "fetch_chunk/part1.json"


@pytest.fixture(autouse=True)
def chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chunk that was fetched, large enough to be looked for in the records."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(job_inputs, "LARGE", 10)
    Path("chunk ä.zip").write_bytes(b"photographs")
    content = {"rule": "fetch_chunk", "inputs": [], "outputs": describe_files(["chunk ä.zip"]), "parameters": {}}
    write_record(RECORD, content | {"code": "fetch_chunk:1"})
    return Path("chunk ä.zip")


def described(path: Path) -> dict:
    with describing_inputs([str(path)]) as files:
        return files()[0]


def test_the_digest_of_a_large_file_is_that_of_the_record_and_names_it(chunk):
    assert described(chunk) == describe_file(chunk) | {"noted_in": RECORD.as_posix()}


def test_a_large_file_with_another_time_is_hashed(chunk):
    os.utime(chunk, ns=(1, 1))
    assert described(chunk) == describe_file(chunk)


def test_a_small_file_is_hashed(chunk, monkeypatch):
    monkeypatch.setattr(job_inputs, "LARGE", 1000)
    assert described(chunk) == describe_file(chunk)


@pytest.mark.parametrize("change", [lambda text: text.replace('"sha256": "', '"sha256": "0'), lambda text: text[:-9]])
def test_an_edited_or_damaged_record_is_not_believed(chunk, change):
    RECORD.write_text(change(RECORD.read_text()))
    assert described(chunk) == describe_file(chunk)


def test_a_file_that_changes_meanwhile_is_an_error(chunk):
    with describing_inputs([str(chunk)]) as files:
        chunk.write_bytes(b"photographs")
        with pytest.raises(InputError, match=r"chunk ä\.zip changed while the job read it"):
            files()


DAMAGED = r"chunk ä\.zip: not the file that fetch_chunk made, .*; remove chunk ä\.zip and run the same command again"


@pytest.mark.parametrize(("large", "data"), [(1000, b"PHOTOGRAPHS"), (1000, b""), (1, b"photo"), (1, b"photographs..")])
def test_the_job_does_not_begin_where_a_small_file_or_the_size_of_a_large_one_differs(chunk, monkeypatch, large, data):
    monkeypatch.setattr(job_inputs, "LARGE", large)
    monkeypatch.setattr(job_inputs, "LATE", 0)
    chunk.write_bytes(data)
    with pytest.raises(InputError, match=DAMAGED), describing_inputs([str(chunk)]):
        raise AssertionError("the job began")


def test_a_large_file_of_the_same_size_is_refused_before_it_is_recorded_and_in_place_of_the_error_that_it_caused(
    chunk, monkeypatch
):
    monkeypatch.setattr(job_inputs, "LATE", 0)
    chunk.write_bytes(b"PHOTOGRAPHS")
    with pytest.raises(InputError, match=DAMAGED), describing_inputs([str(chunk)]) as files:
        files()
    with pytest.raises(InputError, match=DAMAGED), describing_inputs([str(chunk)]):
        raise UnicodeDecodeError("utf-8", b"", 0, 1, "what damage causes")


def test_a_job_that_looks_for_damaged_files_gets_them(chunk, monkeypatch):
    monkeypatch.setattr(job_inputs, "LARGE", 1000)
    chunk.write_bytes(b"PHOTOGRAPHS")
    with describing_inputs([str(chunk)], refuse_damaged=False) as files:
        assert files() == [describe_file(chunk)]


def record_again(path: Path, record: Path, ended: str) -> None:
    content = {"rule": "import_chunk", "inputs": [], "outputs": describe_files([str(path)]), "parameters": {}}
    write_record(record, content | {"code": "import_chunk:1", "ended": ended})


@pytest.mark.parametrize("folder", ["a", "z"])
def test_the_newest_record_of_a_file_counts(chunk, monkeypatch, folder):
    monkeypatch.setattr(job_inputs, "LATE", 0)
    chunk.write_bytes(b"PHOTOGRAPHS")
    record_again(chunk, Path(RECORDS) / folder / "all.json", "2026-01-01T00:00:00Z")
    assert described(chunk)["sha256"] == file_digest(chunk)
    chunk.write_bytes(b"photographs")
    with pytest.raises(InputError, match="not the file that import_chunk made"):
        described(chunk)


@pytest.mark.parametrize("ahead", [0, 10])
def test_a_record_that_a_file_system_shows_late_is_waited_for_also_where_its_clock_is_ahead(chunk, monkeypatch, ahead):
    monkeypatch.setattr(job_inputs, "LARGE", 1000)
    chunk.write_bytes(b"PHOTOGRAPHS")
    os.utime(chunk, (time.time() + ahead,) * 2)
    written = Path(RECORDS) / "import_chunk/part1.json"
    monkeypatch.setattr(job_inputs, "PAUSE", 0)
    monkeypatch.setattr(job_inputs.logger, "info", lambda *_: record_again(chunk, written, "2026-01-01T00:00:00Z"))
    assert described(chunk) == describe_file(chunk)
