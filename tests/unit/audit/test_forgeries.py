"""Whoever changes a finished run, its records, its ledger or its signature, by accident or on purpose, is noticed."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from sealed_runs import AUDIT, CRATE, REPORT, SIGNERS, chunk, crops, make_run, plan_of_run, record_job, record_path

from audit_run import head_fault, head_of
from bioscan1m.audit.findings import audit
from bioscan1m.audit.scope import Scope
from bioscan1m.audit.states import FAULTS, Finding
from bioscan1m.jobs.ledger import HEAD, KEPT_HEAD, LEDGER, entry_of, head_hash, read_chain
from bioscan1m.jobs.records import RECORDS, write_record
from bioscan1m.jobs.signatures import NAMESPACE, sign

Forgery = Callable[[random.Random], None]
OUTSIDE = "../outside"
HASH_AND_TIME = (1.0, 0.0)
pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH")


@pytest.fixture(scope="module", params=[False, True], ids=["unsigned", "signed"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bool]:
    return make_run(tmp_path_factory.mktemp("made"), request.param), request.param


def copied(made: tuple[Path, bool], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run, and what lies beside it, in another folder, which becomes the working directory."""
    shutil.copytree(made[0].parent, folder / "copy", symlinks=True)
    run = folder / "copy" / made[0].name
    monkeypatch.chdir(run)
    return run


def found(signed: bool, share: float = 1.0) -> list[Finding]:
    plan = plan_of_run(Path("..").resolve() / SIGNERS if signed else None)
    return [finding for finding in audit(".", Scope(share=share), plan) if finding.state != "intact"]


def forge_record(path: str, **changes: object) -> None:
    """Rewrite a record as if its job had run again just now, with its digest and the newest head."""
    content = json.loads(Path(path).read_text())
    del content["digest"]
    write_record(path, content | {"ledger": head_hash("."), "ended": "2027-01-01T00:00:00+00:00"} | changes)


def rewrite_chain(change: Callable[[list[dict]], None]) -> None:
    """Write the ledger anew, each line with the right hash; `change` gets the lines."""
    lines = [asdict(entry) for entry in read_chain(LEDGER).entries]
    change(lines)
    text, previous = "", "0" * 64
    for line in lines:
        entry = entry_of(line["record"], line["content"], line["sealed"], previous)
        text, previous = text + json.dumps(asdict(entry), ensure_ascii=False) + "\n", entry.hash
    Path(LEDGER).write_text(text)


def write_heads() -> None:
    head = read_chain(LEDGER).head
    Path(HEAD).write_text(json.dumps(head))
    Path(KEPT_HEAD).write_text(json.dumps(head | {"signed": Path(f"{LEDGER}.sig").exists()}))


def cut(lines: int) -> None:
    Path(LEDGER).write_bytes(b"".join(Path(LEDGER).read_bytes().splitlines(keepends=True)[:-lines]))


def a_result(chance: random.Random) -> Path:
    return Path(chance.choice([chunk(0), crops(1), "results/quarantine/crop/part2.tsv", CRATE, AUDIT[0]]))


# What the issue lists.
def report_is_forged(_: random.Random) -> None:
    Path(REPORT).write_text("report of nobody")


def record_and_result_are_rewritten(_: random.Random) -> None:
    Path(crops(0)).write_bytes(b"better crops")
    record_job("crop_chunk", 0, [chunk(0)], [crops(0)], 3, head_hash("."))


def extra_record_takes_a_file_over(_: random.Random) -> None:
    Path(crops(0)).write_bytes(b"better crops")
    record_job("crop_chunk", "0b", [chunk(0)], [crops(0)], 3, head_hash("."))


def record_of_another_job_takes_a_file_over(_: random.Random) -> None:
    Path(crops(0)).write_bytes(b"better crops")
    record_job("crop_chunk", 1, [chunk(1)], [crops(0), crops(1)], 3, head_hash("."))


def temporary_is_claimed(_: random.Random) -> None:
    Path(crops(0)).unlink()
    forge_record(record_path("crop_chunk"), parameters={"crop": {"ratio": 1.4}, "temporary": True})


def hidden_file(_: random.Random) -> None:
    Path("results/cropped/.hidden.zip").write_text("x")


def file_in_a_hidden_folder(_: random.Random) -> None:
    Path("data/.hidden").mkdir()
    Path("data/.hidden/file").write_text("x")


def fifo(_: random.Random) -> None:
    os.mkfifo("results/cropped/fifo")


def last_lines_are_cut(chance: random.Random) -> None:
    cut(chance.randrange(1, 8))


def ledger_is_deleted(_: random.Random) -> None:
    Path(LEDGER).unlink()


def ledger_and_heads_are_deleted(_: random.Random) -> None:
    for path in (LEDGER, HEAD, KEPT_HEAD):
        Path(path).unlink()


def signature_is_deleted(_: random.Random) -> None:
    Path(f"{LEDGER}.sig").unlink()


def signature_is_of_another_key(_: random.Random) -> None:
    sign(LEDGER, "../other")


def chain_is_rebuilt(_: random.Random) -> None:
    """With other times of sealing, and all else as it was, but for heads that records name."""
    rewrite_chain(lambda lines: [line.update(sealed="2026-01-01") for line in lines])  # type: ignore[func-returns-value]
    write_heads()


def config_is_edited(_: random.Random) -> None:
    Path("config.yaml").write_text("crop: {ratio: 1.4} # as ever\n")


def manifest_is_edited(_: random.Random) -> None:
    Path("chunks.tsv").write_text("chunk\tsource\tchecksum\n")


def metadata_of_the_crate_is_edited(_: random.Random) -> None:
    Path(CRATE).write_text("{}")


# What nobody listed.
def result_is_a_link_out_of_the_run(chance: random.Random) -> None:
    """To a file with equal bytes."""
    path = a_result(chance)
    shutil.copy2(path, OUTSIDE)
    path.unlink()
    path.symlink_to(Path(OUTSIDE).resolve())


def folder_is_a_link_out_of_the_run(_: random.Random) -> None:
    shutil.move("results/cropped", OUTSIDE)
    Path("results/cropped").symlink_to(Path(OUTSIDE).resolve())


def result_is_a_fifo(chance: random.Random) -> None:
    path = a_result(chance)
    path.unlink()
    os.mkfifo(path)


def result_is_a_folder(chance: random.Random) -> None:
    path = a_result(chance)
    path.unlink()
    path.mkdir()


def result_is_renamed(chance: random.Random) -> None:
    path = a_result(chance)
    path.rename(path.with_suffix(".old"))


def result_is_in_upper_case(_: random.Random) -> None:
    Path(crops(0)).rename(crops(0).upper().replace("RESULTS/CROPPED", "results/cropped"))


def result_is_appended_to(chance: random.Random) -> None:
    with a_result(chance).open("ab") as file:
        file.write(b"\0")


def device_is_named_as_a_result(_: random.Random) -> None:
    Path(crops(0)).unlink()
    Path(crops(0)).symlink_to("/dev/zero")


def socket_is_there(_: random.Random) -> None:
    place = Path.cwd()
    os.chdir("results")  # the path of a socket is short
    socket.socket(socket.AF_UNIX).bind("socket")
    os.chdir(place)


def record_is_a_link(_: random.Random) -> None:
    shutil.move(record_path("crop_chunk"), OUTSIDE)
    Path(record_path("crop_chunk")).symlink_to(Path(OUTSIDE).resolve())


def record_is_a_fifo(_: random.Random) -> None:
    Path(record_path("crop_chunk")).unlink()
    os.mkfifo(record_path("crop_chunk"))


def record_is_nested_deeply(chance: random.Random) -> None:
    depth = chance.choice([200, 5_000, 1_000_000])
    Path(record_path("crop_chunk")).write_text('{"rule": ' + "[" * depth + "]" * depth + "}")


def parameters_are_nested_deeply(_: random.Random) -> None:
    value: object = 1
    for _ in range(500):
        value = {"a": value}
    forge_record(record_path("crop_chunk"), parameters={"crop": value})


def record_is_huge(_: random.Random) -> None:
    os.truncate(record_path("crop_chunk"), 2**40)


def record_names_odd_paths_and_times(chance: random.Random) -> None:
    content = json.loads(Path(record_path("crop_chunk")).read_text())
    content["outputs"][0] |= chance.choice([{"path": "a\0b"}, {"mtime_ns": []}, {"bytes": {}}, {"path": "\ud800"}])
    path = Path(record_path("crop_chunk"))
    path.write_text(json.dumps(content))


def record_names_a_file_outside(_: random.Random) -> None:
    Path(OUTSIDE).write_text("secret")
    forge_record(record_path("crop_chunk"), outputs=[{"path": OUTSIDE, "bytes": 6, "mtime_ns": 1, "sha256": "0" * 64}])


def record_reads_a_file_outside(_: random.Random) -> None:
    forge_record(record_path("crop_chunk"), inputs=[{"path": "/etc/passwd", "bytes": 6, "sha256": "0" * 64}])


def record_has_another_name(_: random.Random) -> None:
    path = Path(record_path("crop_chunk"))
    path.rename(path.with_suffix(".JSON"))


def record_knows_a_ledger_that_never_was(_: random.Random) -> None:
    forge_record(record_path("crop_chunk"), ledger="f" * 64)


def record_without_ledger_has_a_later_time(_: random.Random) -> None:
    forge_record(record_path("crop_chunk"), ledger=None)


def all_records_are_deleted(_: random.Random) -> None:
    shutil.rmtree(RECORDS)


def ends_of_ledger_and_heads_are_rewritten(_: random.Random) -> None:
    """To what was before the jobs that know the newest head."""
    cut(len(read_chain(LEDGER).entries) - 3)
    write_heads()


def ledger_is_a_fifo(_: random.Random) -> None:
    Path(LEDGER).unlink()
    os.mkfifo(LEDGER)


def ledger_is_appended_to(_: random.Random) -> None:
    with Path(LEDGER).open("ab") as file:
        file.write(b'{"record": []}\n')


def kept_head_is_deleted(_: random.Random) -> None:
    Path(KEPT_HEAD).unlink()


def head_is_edited(_: random.Random) -> None:
    Path(HEAD).write_text('{"entries": 0, "hash": ""}')


def head_is_no_json(_: random.Random) -> None:
    Path(KEPT_HEAD).write_text("[" * 100_000)


def older_results_are_put_back(_: random.Random) -> None:
    """With their records, and the newer ledger left."""
    for folder in ("data", "results/cropped", f"{RECORDS}/crop_chunk", f"{RECORDS}/fetch_chunk"):
        shutil.copytree(Path("../older") / folder, folder, dirs_exist_ok=True)


def older_ledger_is_put_back(_: random.Random) -> None:
    """With its heads and signature, beside the newer results."""
    for path in Path("../older/results/provenance").glob("ledger.*"):
        shutil.copy2(path, Path("results/provenance") / path.name)


def unfinished_file_is_left(_: random.Random) -> None:
    Path("results/cropped/part9.zip.part").write_text("x")


def file_is_put_into_the_crate(_: random.Random) -> None:
    Path("results/ro-crate/more.json").write_text("{}")


def audit_is_edited(_: random.Random) -> None:
    Path(AUDIT[1]).write_text("all is well")


FORGERIES = [
    *(report_is_forged, record_and_result_are_rewritten, extra_record_takes_a_file_over, temporary_is_claimed),
    *(record_of_another_job_takes_a_file_over, hidden_file, file_in_a_hidden_folder, fifo, last_lines_are_cut),
    *(ledger_is_deleted, ledger_and_heads_are_deleted, chain_is_rebuilt, config_is_edited, manifest_is_edited),
    *(metadata_of_the_crate_is_edited, result_is_a_link_out_of_the_run, folder_is_a_link_out_of_the_run),
    *(result_is_a_fifo, result_is_a_folder, result_is_renamed, result_is_in_upper_case, result_is_appended_to),
    *(device_is_named_as_a_result, socket_is_there, record_is_a_link, record_is_a_fifo, record_is_nested_deeply),
    *(parameters_are_nested_deeply, record_is_huge, record_names_odd_paths_and_times, record_names_a_file_outside),
    *(record_reads_a_file_outside, record_has_another_name, record_knows_a_ledger_that_never_was),
    *(record_without_ledger_has_a_later_time, all_records_are_deleted, ends_of_ledger_and_heads_are_rewritten),
    *(ledger_is_a_fifo, ledger_is_appended_to, kept_head_is_deleted, head_is_edited, head_is_no_json),
    *(older_results_are_put_back, older_ledger_is_put_back, unfinished_file_is_left, file_is_put_into_the_crate),
    audit_is_edited,
]
OF_SIGNATURES = [signature_is_deleted, signature_is_of_another_key]
# Named and no fault: what may be a user's own doing.
LISTED = {
    *(hidden_file, file_in_a_hidden_folder, fifo, socket_is_there, unfinished_file_is_left, file_is_put_into_the_crate),
    *(config_is_edited, manifest_is_edited),
}
# Without a signature these are what a job leaves whose call of Snakemake was killed.
LISTED_WITHOUT_SIGNATURE = {
    *(record_and_result_are_rewritten, record_reads_a_file_outside, record_without_ledger_has_a_later_time),
}


def test_what_nobody_changed_is_intact(made, tmp_path, monkeypatch):
    copied(made, tmp_path, monkeypatch)
    assert [found(made[1], share) for share in HASH_AND_TIME] == [[], []]


@pytest.mark.parametrize("forge", [*FORGERIES, *OF_SIGNATURES], ids=lambda forge: forge.__name__)
def test_each_forgery_is_noticed(made, tmp_path, monkeypatch, forge: Forgery):
    signed = made[1]
    if forge in OF_SIGNATURES and not signed:
        pytest.skip("there is no signature")
    copied(made, tmp_path, monkeypatch)
    forge(random.Random(forge.__name__))
    for share in HASH_AND_TIME:
        findings = found(signed, share)
        assert findings
        listed = forge in LISTED or (forge in LISTED_WITHOUT_SIGNATURE and not signed)
        assert listed or {finding.state for finding in findings} & set(FAULTS), findings


@pytest.mark.parametrize("seed", range(10))
def test_two_forgeries_at_once_are_noticed_and_end_in_no_traceback(made, tmp_path, monkeypatch, seed: int):
    copied(made, tmp_path, monkeypatch)
    chance = random.Random(seed)
    for forge in chance.sample(FORGERIES, 2):
        try:
            forge(chance)
        except (OSError, KeyError, ValueError):
            continue  # of what the first one took away
    assert found(made[1], chance.choice(HASH_AND_TIME))


def whole_run_is_put_back(_: random.Random) -> None:
    """Older results with their older ledger and signature: all of it was right once."""
    for folder in ("data", "results"):
        shutil.rmtree(folder)
        shutil.copytree(Path("../older") / folder, folder)


def everything_is_made_anew(_: random.Random) -> None:
    """By one who has the key, or where there is none: a chain of other records."""
    shutil.rmtree("results/provenance")
    record_job("crop_chunk", 0, [chunk(0)], [crops(0)], 2, None)


@pytest.mark.parametrize("forge", [chain_is_rebuilt, whole_run_is_put_back, everything_is_made_anew])
def test_a_head_that_was_noted_elsewhere_shows_what_nothing_in_the_run_can(made, tmp_path, monkeypatch, forge: Forgery):
    run = copied(made, tmp_path, monkeypatch)
    noted = head_of(run)
    assert head_fault(run, noted) == "" == head_fault(run, noted.split()[1])
    forge(random.Random(1))
    assert "no line has the noted hash" in head_fault(run, noted)


OPENED = """
import json, sys
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
from bioscan1m.audit.findings import audit
audit(".")
print(json.dumps(opened))
"""


@pytest.mark.parametrize("place", ["absolute", "relative", "device"])
def test_the_audit_opens_nothing_outside_of_the_run_that_is_no_source(made, tmp_path, monkeypatch, place: str):
    run, secret = copied(made, tmp_path, monkeypatch), tmp_path / "secret"
    secret.write_text("secret")
    path = {"absolute": str(secret), "relative": "../../secret", "device": "/dev/zero"}[place]
    forge_record(record_path("crop_chunk"), inputs=[{"path": path, "bytes": 6, "sha256": "0" * 64}])
    settings = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", OPENED], env=settings, capture_output=True, text=True, check=True)
    opened = {Path(run, name).resolve() for name in json.loads(done.stdout)}
    assert Path(run, chunk(0)).resolve() in opened
    assert secret.resolve() not in opened and Path("/dev/zero") not in opened


def test_the_name_of_the_use_is_in_the_signature(made, tmp_path, monkeypatch):
    """So a signature that somebody made of the same bytes for Git does not count."""
    if not made[1]:
        pytest.skip("there is no signature")
    copied(made, tmp_path, monkeypatch)
    command = ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", "../key", LEDGER]
    Path(f"{LEDGER}.sig").unlink()
    subprocess.run(command, check=True, capture_output=True)
    assert NAMESPACE != "git" and {finding.path for finding in found(signed=True)} == {f"{LEDGER}.sig"}
