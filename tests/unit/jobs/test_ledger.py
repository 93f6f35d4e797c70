"""What was sealed stays: records may be overwritten, lost or edited, the ledger still has what they said."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bioscan1m.audit.evidence import read_sound_records
from bioscan1m.audit.findings import audit
from bioscan1m.foundation.digests import describe_files
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.jobs.ledger import HEAD, LEDGER, head_hash, read_ledger
from bioscan1m.jobs.records import RECORDS, write_record
from bioscan1m.jobs.sealing import seal
from seal_records import seal_records

OUTPUT, RECORD = Path("results/cropped/part1.zip"), Path(RECORDS) / "crop_chunk/part1.json"


def run_job(data: str, ended: str, **more: object) -> None:
    """Write an output and its record."""
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(data)
    content = {"rule": "crop_chunk", "inputs": [], "outputs": describe_files([str(OUTPUT)]), "parameters": {}}
    write_record(RECORD, content | {"code": code_digest("crop_chunk"), "ended": ended} | more)


NEW = "record not sealed"


def states() -> dict[str, str]:
    return {finding.path: finding.state for finding in audit(".")}


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in which one job ran twice and was sealed each time."""
    monkeypatch.chdir(tmp_path)
    for data, ended in (("first", "2026-01-01"), ("second", "2026-01-02")):
        run_job(data, ended)
        seal(LEDGER, read_sound_records("."), "2026-02-01")


def test_every_record_that_ever_stood_is_kept_as_it_was():
    ledger = read_ledger(LEDGER)
    assert [entry.parsed().ended for entry in ledger.entries] == ["2026-01-01", "2026-01-02"]
    assert ledger.entries[-1].content == RECORD.read_text() and ledger.faults == []


def test_sealing_again_adds_nothing():
    before = Path(LEDGER).read_bytes()
    seal(LEDGER, read_sound_records("."), "2026-02-02")
    assert Path(LEDGER).read_bytes() == before


def test_the_sealed_copy_takes_the_place_of_a_deleted_record():
    RECORD.unlink()
    assert states() == {str(OUTPUT): "intact", str(RECORD): "missing"}
    OUTPUT.write_text("changed")
    assert states() == {str(OUTPUT): "changed", str(RECORD): "missing"}
    OUTPUT.unlink()
    assert states() == {str(OUTPUT): "removed"}


def test_what_went_with_its_record_is_missing_where_something_was_made_from_it():
    """A job that fails loses both."""
    package = Path("results/package.hdf5")
    package.write_text("made from the crops")
    described = {"inputs": describe_files([str(OUTPUT)]), "outputs": describe_files([str(package)]), "parameters": {}}
    content = {"rule": "pack_hdf5", "code": code_digest("pack_hdf5"), "ended": "2026-01-03"} | described
    write_record(Path(RECORDS) / "pack_hdf5/package.json", content)
    OUTPUT.unlink()
    RECORD.unlink()
    assert states() == {str(OUTPUT): "missing", str(package): "intact", f"{RECORDS}/pack_hdf5/package.json": NEW}


def test_an_older_file_with_its_older_record_is_found_though_the_two_agree():
    older = read_ledger(LEDGER).entries[0]
    OUTPUT.write_text("first")
    assert "an earlier job" in next(finding.detail for finding in audit(".") if finding.path == str(OUTPUT))
    RECORD.write_text(older.content)
    assert states() == {str(OUTPUT): "changed", str(RECORD): "changed record"}
    seal(LEDGER, read_sound_records("."), "2026-02-02")
    assert states()[str(RECORD)] == "changed record"


def test_a_record_that_was_not_sealed_yet_counts():
    run_job("third", "2026-01-03")
    assert states() == {str(OUTPUT): "intact", str(RECORD): NEW}


def test_a_job_under_a_clock_that_went_back_counts_and_is_sealed():
    seal_records(HEAD, None)
    run_job("third", "2025-12-31", ledger=head_hash("."))
    assert states() == {str(OUTPUT): "intact", str(RECORD): NEW}
    ledger = seal(LEDGER, read_sound_records("."), "2026-02-02")
    assert ledger.entries[-1].parsed().ended == "2025-12-31" and states() == {str(OUTPUT): "intact"}
    RECORD.write_text(ledger.entries[1].content)  # of a clock that was ahead
    assert states() == {str(OUTPUT): "intact", str(RECORD): "changed record"}


@pytest.mark.parametrize("known", [None, "0" * 64, "first"])
def test_an_older_record_that_was_written_anew_is_named(known):
    """One that knew no ledger, an empty one, or one in which what it replaces was not yet."""
    known = read_ledger(LEDGER).entries[0].hash if known == "first" else known
    run_job("third", "2025-12-31", ledger=known)
    assert states() == {str(OUTPUT): "changed", str(RECORD): "changed record"}


def test_records_from_before_there_were_digests_are_sealed_too():
    content = json.loads(RECORD.read_text())
    del content["digest"], content["outputs"][0]["mtime_ns"]
    content["ended"] = "2026-01-03"
    RECORD.write_text(json.dumps(content))
    assert len(seal(LEDGER, read_sound_records("."), "2026-02-02").entries) == 3
    assert states() == {str(OUTPUT): "intact"}


def test_nothing_is_sealed_into_a_changed_ledger():
    Path(LEDGER).write_text(Path(LEDGER).read_text().replace("2026-02-01", "2026-02-02", 1))
    with pytest.raises(InputError, match=r"ledger\.jsonl: line 1 .* was changed"):
        seal(LEDGER, read_sound_records("."), "2026-02-02")


def test_a_run_without_records_is_not_sealed():
    shutil.rmtree(RECORDS)
    with pytest.raises(InputError, match="no record that could be sealed"):
        seal_records(HEAD, None)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH")
def test_a_signed_ledger_shows_who_did_not_write_it():
    for key in ("key", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    seal_records(HEAD, "key")
    assert states() == {str(OUTPUT): "intact"}
    with pytest.raises(InputError, match=r"ledger\.jsonl is signed"):
        seal_records(HEAD, None)
    entries = Path(LEDGER).read_text().splitlines(keepends=True)
    Path(LEDGER).write_text(entries[0])
    Path(HEAD).unlink()
    assert states()[f"{LEDGER}.sig"] == "changed"


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH")
def test_a_key_that_cannot_sign_is_a_clear_error():
    with pytest.raises(InputError, match=r"provenance\.signing_key: no such key does not sign"):
        seal_records(HEAD, "no such key")
