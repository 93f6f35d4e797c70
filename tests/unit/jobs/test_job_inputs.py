"""Inputs are described truly, and large ones are not hashed twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from bioscan1m.foundation.digests import describe_file, describe_files
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


def test_a_file_that_was_written_since_is_hashed(chunk):
    chunk.write_bytes(b"PHOTOGRAPHS")
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
        chunk.write_bytes(b"other photographs")
        with pytest.raises(InputError, match=r"chunk ä\.zip changed while the job read it"):
            files()
