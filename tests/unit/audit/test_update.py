"""Results of earlier code: what would be made again, what is accepted, and how that can be seen and taken back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import accept_update
from accept_update import accept_rules, describe_update, seal_again, take_back_rules
from bioscan1m.audit.crate import METADATA
from bioscan1m.audit.findings import audit
from bioscan1m.audit.update import _alone
from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.digests import describe_files
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs import formats
from bioscan1m.jobs.ledger import HEAD, LEDGER, read_ledger
from bioscan1m.jobs.records import RECORDS, write_record

CHUNK, CROPPED, PACKAGE = "data/chunks/part1.zip", "results/cropped/part1.zip", "results/packages/cropped_256.zip"
OLD = "0123456789abcdef"


def run_job(rule: str, script: str, inputs: list[str], output: str, **more: object) -> None:
    """An output of earlier code and its record."""
    path, record = Path(output), Path(RECORDS) / rule / "part1.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rule)
    described = {"inputs": describe_files(inputs), "outputs": describe_files([output]), "parameters": {}}
    times = {"started": "2026-01-01T10:00:00+00:00", "ended": "2026-01-01T12:30:00+00:00"}
    write_record(record, {"rule": rule, "code": f"{script}:{OLD}", **described, **times, **more})


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chunk was fetched, cropped and packed by code that is no longer there."""
    monkeypatch.chdir(tmp_path)
    run_job("fetch_chunk", "fetch_chunk", [], CHUNK, unwatched=["code"])
    run_job("crop_chunk", "crop_chunk", [CHUNK], CROPPED, machine={"gpu": "H200"})
    run_job("pack_crops", "pack_zip", [CROPPED], PACKAGE)
    return Path()


def accept(*rules: str, why: str = "the same crops") -> None:
    accept_rules(Path(), rules, "Ada", why)


def findings() -> dict[str, tuple[str, str]]:
    return {finding.path: (finding.state, finding.detail) for finding in audit(".")}


def test_the_list_has_jobs_times_and_gpus_by_rule(run):
    listed = describe_update(run)
    assert "crop_chunk" in listed and "2 h 30 min" in listed and "GPU" in listed and OLD in listed
    assert "2 jobs, 5 h 0 min; with the jobs that read their files 2 jobs" in listed
    assert "fetch_chunk" not in listed  # other code is no reason to fetch again


def test_what_reads_the_files_of_a_job_runs_again_too(run):
    accept("pack_crops")
    assert "1 job, 2 h 30 min; with the jobs that read their files 2 jobs, 5 h 0 min" in describe_update(run)


def test_the_audit_names_who_accepted_when_and_why_and_never_says_intact():
    accept("crop_chunk")
    state, detail = findings()[CROPPED]
    assert state == "made by earlier code, accepted"
    assert f"crop_chunk:{OLD}" in detail and "by Ada on 20" in detail and detail.endswith("the same crops")
    assert findings()[PACKAGE][0] == "other code than today's"


def test_all_accepts_what_was_fetched_as_well(run):
    accept("all")
    assert {state for state, _ in findings().values()} == {"made by earlier code, accepted"}
    assert describe_update(run) == "Today's code would run no job of this run again.\n"


def test_an_accepted_file_that_was_changed_is_still_changed():
    accept("all")
    Path(CROPPED).write_text("other bytes")
    assert findings()[CROPPED][0] == "changed" and findings()[PACKAGE][0] == "stale"


def test_an_acceptance_holds_for_the_code_of_that_day_alone(monkeypatch):
    accept("all")
    monkeypatch.setattr("bioscan1m.audit.findings.code_digest", lambda script: f"{script}:fedcba9876543210")
    assert findings()[CROPPED][0] == "other code than today's"


def test_an_acceptance_can_be_taken_back(run):
    accept("all")
    take_back_rules(run, ["crop_chunk"], "Grace", "they differ")
    assert (
        findings()[CROPPED][0] == "other code than today's"
        and findings()[PACKAGE][0] == "made by earlier code, accepted"
    )
    accept("crop_chunk")
    assert findings()[CROPPED][0] == "made by earlier code, accepted"
    kinds = [(decision.kind, decision.who) for decision in read_ledger(LEDGER).decisions]
    assert kinds == [("accepted", "Ada"), ("taken back", "Grace"), ("accepted", "Ada")]


def test_a_changed_format_is_refused_by_name(monkeypatch):
    monkeypatch.setitem(formats.FORMATS, "crop_chunk", 2)
    with pytest.raises(InputError, match="crop_chunk: its files have format 1, and today's code reads only format 2"):
        accept("all")
    assert not Path(LEDGER).exists()
    accept("pack_crops")


def test_results_of_a_script_that_is_gone_are_refused_by_name():
    run_job("turn_chunk", "turn_chunk", [CHUNK], "results/turned.zip")
    with pytest.raises(InputError, match="turn_chunk: its script turn_chunk is gone"):
        accept("all")
    accept("crop_chunk")


def test_a_rule_without_such_results_is_refused_with_those_that_have_some():
    with pytest.raises(
        InputError, match="resize_chunk: no results of earlier code to accept; rules that have some: crop_chunk, fetch"
    ):
        accept("crop_chunk", "resize_chunk")
    with pytest.raises(InputError, match="crop_chunk: no accepted results; rules that have some: none"):
        take_back_rules(Path(), ["crop_chunk"], "Ada", "they differ")


def test_a_run_at_which_snakemake_works_is_left_alone():
    locks = Path(".snakemake/locks")
    locks.mkdir(parents=True)
    (locks / "0.output.lock").touch()
    with pytest.raises(InputError, match="locked by Snakemake"):
        accept("all")
    assert not Path(LEDGER).exists()


def test_a_changed_ledger_is_refused():
    accept("crop_chunk")
    ledger = Path(LEDGER)
    ledger.write_text(ledger.read_text().replace("Ada", "Eve"))
    assert findings()[LEDGER][0] == "changed"
    with pytest.raises(InputError, match="its hash is another one"):
        accept("pack_crops")


@pytest.mark.parametrize("arguments", [["--accept", "all"], ["--accept", "all", "--why", " "]])
def test_a_decision_needs_its_reason(arguments, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["accept_update.py", ".", *arguments])
    assert accept_update.main() == 1
    assert "--why" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["accept_update.py", str(tmp_path / "results")])
    assert accept_update.main() == 1
    assert "no run of this workflow" in capsys.readouterr().err


def test_a_job_that_earlier_code_ran_after_the_decision_is_not_accepted():
    accept("crop_chunk")
    run_job("crop_chunk", "crop_chunk", [CHUNK], CROPPED, ended="2999-01-01T00:00:00+00:00")
    assert findings()[CROPPED][0] == "other code than today's"


@pytest.mark.parametrize("lines", [0, 1])
def test_a_cut_ledger_is_refused_before_its_head_is_written_anew(lines):
    for rule in ("crop_chunk", "pack_crops"):
        accept(rule)
    write_json(HEAD, read_ledger(LEDGER).head)
    ledger = Path(LEDGER)
    ledger.write_text("".join(ledger.read_text().splitlines(keepends=True)[:lines]))
    with pytest.raises(InputError, match="lines, and had 2"):
        accept("fetch_chunk")


def test_one_decision_is_made_at_a_time(run):
    with _alone(run):
        command = [sys.executable, accept_update.__file__, ".", "--accept", "all", "--why", "the same crops"]
        other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert other.returncode == 1 and "another decision on this run is being made" in other.stderr
    accept("crop_chunk")


@pytest.mark.parametrize("given", [["--who", "Ada\nEve"], ["--why", "a\x1b[2J"]])
def test_names_and_reasons_are_on_one_line(given, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["accept_update.py", ".", "--accept", "all", "--why", "the same", *given])
    assert accept_update.main() == 1
    assert "on one line" in capsys.readouterr().err


def test_a_user_without_a_name_can_list_and_is_asked_for_one_to_decide(monkeypatch, capsys):
    monkeypatch.setattr("getpass.getuser", lambda: {}["uid"])
    monkeypatch.setattr("sys.argv", ["accept_update.py", "."])
    assert accept_update.main() == 0
    monkeypatch.setattr("sys.argv", ["accept_update.py", ".", "--accept", "all", "--why", "the same"])
    assert accept_update.main() == 1
    assert "add --who NAME" in capsys.readouterr().err


def test_a_ledger_without_head_is_no_error_of_a_decision(run):
    """The crate is there still where the job that writes the head has failed."""
    write_json(METADATA, {})
    assert "config.yaml" in seal_again(run, [])  # which Snakemake misses in this folder
    assert not list(Path(HEAD).parent.glob("ledger*"))
