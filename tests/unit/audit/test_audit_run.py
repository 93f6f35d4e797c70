"""The command answers for a folder and for single files, and names bad input in place of a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from audit_results import audit_results
from audit_run import audit_paths, audit_run, main
from bioscan1m.audit.evidence import read_sound_records
from bioscan1m.audit.scope import Scope
from bioscan1m.foundation.digests import describe_files
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.jobs.environment import now
from bioscan1m.jobs.ledger import LEDGER
from bioscan1m.jobs.planned import JobPlan
from bioscan1m.jobs.records import RECORDS, write_record
from bioscan1m.jobs.sealing import seal

CHUNK, CROPPED = "data/chunks/Teil 1.zip", "results/cropped/Käfer 1.zip"


def run_job(rule: str, inputs: list[str], output: str, data: str, **parameters: object) -> None:
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(data)
    content = {"rule": rule, "inputs": describe_files(inputs), "outputs": describe_files([output])}
    said = {"parameters": parameters, "code": code_digest(rule), "ended": f"2026-01-0{len(data)}"}
    write_record(Path(RECORDS) / rule / "1.json", content | said)


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chunk that was fetched twice and cropped once."""
    monkeypatch.chdir(tmp_path)
    source = {"source": "gdrive:abc", "checksum": None}
    for data in ("old", "newer"):
        run_job("fetch_chunk", [], CHUNK, data, source=source)
        seal(LEDGER, read_sound_records("."), "2026-02-01")
    run_job("crop_chunk", [CHUNK], CROPPED, "crops")
    return tmp_path


def test_a_file_is_followed_back_to_its_source_and_its_first_fetch(capsys, run):
    assert audit_paths(run, [CROPPED, str(run / CHUNK)], "json") == 0
    crops, chunk = json.loads(capsys.readouterr().out)
    assert (crops["state"], crops["rule"]) == ("intact", "crop_chunk")
    assert crops["jobs"] == {"crop_chunk": 1, "fetch_chunk": 1}
    assert [file["path"] for file in crops["inputs"]] == [CHUNK] and chunk["path"] == CHUNK
    (source,) = crops["sources"]
    assert source["source"] == "gdrive:abc" and source["sha256"] == json.loads(first_sealed())["outputs"][0]["sha256"]
    assert audit_paths(run, [CROPPED]) == 0
    assert "source data/chunks/Teil 1.zip of gdrive:abc, checksum none published; sha256:" in capsys.readouterr().out


def first_sealed() -> str:
    """The text of the record that was sealed first."""
    return json.loads(Path(LEDGER).read_text().splitlines()[0])["content"]


def test_an_unknown_path_is_named_with_what_is_near(capsys, run):
    assert audit_paths(run, ["results/cropped/Käfer 2.zip"]) == 1
    assert f"no such file, and no record of one; near: {CROPPED}" in capsys.readouterr().err


def test_a_folder_without_records_is_no_run(capsys, tmp_path):
    assert audit_run(tmp_path / "data") == 2
    assert "has no folder results/provenance/records" in capsys.readouterr().err


def test_an_audit_of_nothing_is_no_success(capsys, tmp_path, monkeypatch):
    empty = tmp_path / "elsewhere"
    (empty / RECORDS).mkdir(parents=True)
    assert audit_run(empty) == 2
    assert "nothing to audit" in capsys.readouterr().err
    monkeypatch.chdir(empty)
    with pytest.raises(InputError, match="nothing to audit"):
        audit_results(JobPlan({}, {}, {}), "findings.tsv", "audit.tsv", "audit.json", "audit.html")
    assert not Path("audit.tsv").exists()


@pytest.mark.parametrize("form", ["text", "tsv", "json"])
def test_the_status_and_every_form_name_what_is_at_fault(form, capsys, run):
    assert audit_run(run, form=form) == 0
    Path(CROPPED).unlink()
    assert audit_run(run, Scope(share=0.0), form) == 1
    assert CROPPED in capsys.readouterr().out


def test_a_folder_without_a_config_is_audited_and_what_is_not_compared_is_named(capsys, run, monkeypatch):
    monkeypatch.setattr("sys.argv", ["audit_run.py", str(run), "--format", "json"])
    assert main() == 0
    printed = capsys.readouterr()
    assert "parameters are not compared with today's plan" in printed.err and "has no config.yaml" in printed.err
    assert json.loads(printed.out)["compared_with_plan"] is False


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["audit_run.py", *map(str, arguments)])
    return main()


def test_the_head_is_printed_and_a_run_compared_with_one_that_was_noted(capsys, run, monkeypatch):
    assert run_command(monkeypatch, run, "--head") == 0
    noted = capsys.readouterr().out.strip()
    seal(LEDGER, read_sound_records("."), "2026-02-02")
    assert run_command(monkeypatch, run, "--no-plan", "--head", noted) == 0
    assert run_command(monkeypatch, run, "--no-plan", "--head", noted[:-1]) == 1
    assert "no line has the noted hash" in capsys.readouterr().out
    Path(LEDGER).write_bytes(b"".join(Path(LEDGER).read_bytes().splitlines(keepends=True)[:-1]))
    assert run_command(monkeypatch, run, "--head") == 1
    assert "it has 2 lines, and had 3" in capsys.readouterr().err


def test_only_what_changed_since_a_time_or_a_line_is_hashed_and_printed(capsys, run, monkeypatch):
    seal(LEDGER, read_sound_records("."), now())
    for path in (CHUNK, CROPPED):
        os.utime(path, (1, 1))  # a change of the time is a change
    Path("results/new.txt").write_text("by hand")
    assert run_command(monkeypatch, run, "--no-plan", "--since", "2999-01-01") == 0
    assert capsys.readouterr().out == "0 files: \n"
    for since in ("2001-01-01T00:00", "1", json.loads(Path(LEDGER).read_text().splitlines()[0])["hash"]):
        assert run_command(monkeypatch, run, "--no-plan", "--since", since, "--format", "json") == 0
        states = {file["path"]: file["state"] for file in json.loads(capsys.readouterr().out)["files"]}
        assert states == {CHUNK: "intact", CROPPED: "intact", "results/new.txt": "orphan"}
    Path(CROPPED).unlink()
    assert run_command(monkeypatch, run, "--no-plan", "--since", "2999-01-01") == 1
    assert run_command(monkeypatch, run, "--no-plan", "--since", "yesterday") == 1
    assert "--since yesterday: no time" in capsys.readouterr().err
