"""Nothing is sealed into a ledger that has lost lines or its signature, until somebody states the loss in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_runs import PARTS, chunk, finish, make_run, plan_of_run, run_job

from bioscan1m.audit.evidence import read_sound_records
from bioscan1m.audit.findings import audit
from bioscan1m.audit.states import FAULTS
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.ledger import HEAD, KEPT_HEAD, LEDGER, read_chain, read_ledger
from bioscan1m.jobs.records import RECORDS
from bioscan1m.jobs.sealing import state_loss
from bioscan1m.jobs.signatures import Signing, sign
from repair_run import state_lost_lines
from seal_records import seal_records

SIGNED = Signing("../key", "../signers")
pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    return {signed: make_run(tmp_path_factory.mktemp("made"), signed) for signed in (False, True)}


def copied(made: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(made.parent, folder / "copy")
    monkeypatch.chdir(folder / "copy" / made.name)


def seal_again(signing: Signing) -> None:
    """As the next run does: Snakemake removes the output before the job begins."""
    Path(HEAD).unlink(missing_ok=True)
    seal_records(HEAD, signing.key, signing.allowed)


def cut_last(lines: int) -> None:
    Path(LEDGER).write_bytes(b"".join(Path(LEDGER).read_bytes().splitlines(keepends=True)[:-lines]))


def delete_all_but_the_records() -> None:
    for path in Path("results/provenance").glob("ledger.*"):
        path.unlink()


def change_a_line() -> None:
    Path(LEDGER).write_text(Path(LEDGER).read_text().replace("2026-01-01", "2026-01-02", 1))


LOSSES = {
    "last line": lambda: cut_last(1),
    "last lines": lambda: cut_last(7),
    "ledger": lambda: Path(LEDGER).unlink(),
    "ledger and heads": delete_all_but_the_records,
    "heads and last lines": lambda: (cut_last(5), Path(HEAD).unlink(), Path(KEPT_HEAD).unlink()),
    "a line": change_a_line,
    "readable head": lambda: Path(KEPT_HEAD).write_text("{"),
}


@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("lost", LOSSES)
def test_what_was_lost_is_not_forgotten_with_the_next_sealing(made, tmp_path, monkeypatch, lost: str, signed: bool):
    copied(made[signed], tmp_path, monkeypatch)
    signing = SIGNED if signed else Signing()
    LOSSES[lost]()
    run_job("fetch_chunk", 0, [], [chunk(0)], 3)
    with pytest.raises(InputError, match="Put back"):
        seal_again(signing)
    state_lost_lines(Path(), "the disk failed")
    finish(4, PARTS, signing)
    findings = audit(".", plan=plan_of_run())
    assert not [finding for finding in findings if finding.state in FAULTS]
    assert [
        "the disk failed" in finding.detail for finding in findings if finding.state == "lines were lost, as stated"
    ]


def test_a_loss_is_stated_only_where_there_is_one_and_with_its_reason(made, tmp_path, monkeypatch):
    copied(made[True], tmp_path, monkeypatch)
    before = Path(LEDGER).read_bytes()
    assert state_loss(Path(), LEDGER, read_sound_records("."), "me", "2026-01-03", "no reason") is None
    assert Path(LEDGER).read_bytes() == before
    with pytest.raises(InputError, match="needs a reason"):
        state_lost_lines(Path(), " ")


def delete_signature() -> None:
    Path(f"{LEDGER}.sig").unlink()


def sign_by_another_key() -> None:
    sign(LEDGER, "../other")


def sign_another_text() -> None:
    Path("text").write_text("text")
    sign("text", "../key")
    Path("text.sig").replace(f"{LEDGER}.sig")


@pytest.mark.parametrize("allowed", ["../signers", None])
@pytest.mark.parametrize("forge", [delete_signature, sign_by_another_key, sign_another_text])
def test_a_ledger_without_ones_own_signature_is_not_signed_again(made, tmp_path, monkeypatch, forge, allowed):
    copied(made[True], tmp_path, monkeypatch)
    forge()
    with pytest.raises(InputError, match=r"ledger\.jsonl"):
        seal_again(Signing("../key", allowed))
    with pytest.raises(InputError, match=r"ledger\.jsonl"):
        seal_again(Signing())


def test_a_new_key_goes_on_where_both_are_allowed(made, tmp_path, monkeypatch):
    copied(made[True], tmp_path, monkeypatch)
    kind, public = Path("../other.pub").read_text().split()[:2]
    with Path("../signers").open("a") as file:
        file.write(f"you@example.org {kind} {public}\n")
    run_job("fetch_chunk", 0, [], [chunk(0)], 3)
    seal_again(Signing("../other", "../signers"))
    assert not [one for one in audit(".", signers="../signers") if one.path.startswith(LEDGER)]


def test_a_writer_that_was_killed_between_ledger_and_signature_stops_nobody(made, tmp_path, monkeypatch):
    copied(made[True], tmp_path, monkeypatch)
    Path(f"{LEDGER}.sig").replace(f"{LEDGER}.part.sig")
    shutil.copy("../older/" + f"{LEDGER}.sig", f"{LEDGER}.sig")
    assert not [one for one in audit(".", signers="../signers") if one.path.startswith(f"{LEDGER}.sig")]
    run_job("fetch_chunk", 0, [], [chunk(0)], 3)
    seal_again(SIGNED)
    assert not Path(f"{LEDGER}.part.sig").exists()


def test_a_file_of_signers_that_is_not_there_is_named(made, tmp_path, monkeypatch):
    copied(made[True], tmp_path, monkeypatch)
    (finding,) = [one for one in audit(".", signers="nowhere") if one.path == f"{LEDGER}.sig"]
    assert finding.state == "changed" and "nowhere" in finding.detail


def test_processes_that_seal_at_once_lose_no_line(made, tmp_path, monkeypatch):
    copied(made[False], tmp_path, monkeypatch)
    command = [sys.executable, "-c", "import sys; from seal_records import *; seal_records(sys.argv[1], None)"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for part in range(4):
        run_job("fetch_chunk", part, [], [chunk(part)], 3)
    processes = [subprocess.Popen([*command, f"head{number}"], env=environment) for number in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    ledger = read_ledger(LEDGER)
    assert ledger.faults == [] and {f"{RECORDS}/fetch_chunk/part{part}.json" for part in range(4)} <= set(ledger.newest)
    assert len(ledger.places) == len(ledger.records)


json_values = st.recursive(st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v))


@settings(max_examples=150, deadline=None)
@given(key=st.sampled_from(["record", "sha256", "sealed", "content", "previous", "hash"]), value=json_values)
def test_whatever_a_line_has_is_a_fault_of_that_line(made, tmp_path_factory, key, value):
    path = tmp_path_factory.getbasetemp() / "ledger.jsonl"
    lines = (made[False] / LEDGER).read_text().splitlines()
    line = json.loads(lines[3])
    path.write_text("\n".join([*lines[:3], json.dumps(line | {key: value}), *lines[4:]]))
    assert value == line[key] or any("line 4" in fault for fault in read_chain(path).faults)
