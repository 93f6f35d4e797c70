"""The audit finds whatever was done to the files of a run after their jobs, and says what it was."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from audit_results import audit_results
from bioscan1m.audit.findings import audit
from bioscan1m.audit.scope import Scope
from bioscan1m.audit.states import Finding, count_states
from bioscan1m.foundation.digests import describe_files
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.jobs.planned import JobPlan, PlannedJob
from bioscan1m.jobs.records import write_record

RECORDS = Path("results/provenance/records")
CHUNK, CROPPED, TABLE = "data/chunks/part1.zip", "results/cropped/part1.zip", "results/quarantine/crop/part1.tsv"
NAMES = ("table", "summary", "page")


def record(
    rule: str,
    inputs: list[str],
    outputs: list[str],
    code: str | None = None,
    name: str = "part1",
    ancient: tuple[str, ...] = (),
    ended: str = "",
    **parameters: object,
) -> None:
    """Write the record of a job of the working directory."""
    files = [file | ({"ancient": True} if file["path"] in ancient else {}) for file in describe_files(inputs)]
    described = {"inputs": files, "outputs": describe_files(outputs), "parameters": parameters, "ended": ended}
    write_record(RECORDS / rule / f"{name}.json", {"rule": rule, "code": code or code_digest(rule), **described})


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two jobs in a chain: a chunk was fetched from a user's folder, its insects were cropped."""
    monkeypatch.chdir(tmp_path)
    for path, data in {"wells.zip": "wells", CHUNK: "photographs", CROPPED: "crops", TABLE: "image_file\n"}.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(data)
    record("fetch_chunk", ["wells.zip"], [CHUNK])
    record("crop_chunk", [CHUNK], [CROPPED, TABLE], crop={"ratio": 1.4})
    return tmp_path


def states() -> dict[str, str]:
    return {finding.path: finding.state for finding in audit(".")}


def found(path: str) -> Finding:
    """What the audit says of one file."""
    (finding,) = [finding for finding in audit(".") if finding.path == path]
    return finding


def plan(ratio: float = 1.4, crops: bool = True, code: str | None = None) -> JobPlan:
    """A plan of the two jobs, with another ratio, without crops, or with other code."""
    code = code or code_digest("crop_chunk")
    fetched = PlannedJob("fetch_chunk", {}, ("code",), in_run=True)
    cropped = PlannedJob("crop_chunk", {"crop": {"ratio": ratio}, "code": code}, ("unwatched",), in_run=crops)
    return JobPlan({f"{RECORDS}/fetch_chunk/part1.json": fetched, f"{RECORDS}/crop_chunk/part1.json": cropped}, {}, {})


INTACT = {CHUNK: "intact", CROPPED: "intact", TABLE: "intact"}


def test_an_untouched_run_is_intact(run, monkeypatch):
    assert states() == INTACT
    assert list(states()) == sorted(INTACT)
    monkeypatch.chdir("/")
    assert {finding.path: finding.state for finding in audit(run)} == INTACT


def test_a_moved_run_is_intact(run):
    run.rename(run.with_name("moved"))
    assert {finding.path: finding.state for finding in audit(run.with_name("moved"))} == INTACT
    run.with_name("moved").rename(run)


def test_a_changed_byte_is_found():
    Path(TABLE).write_text("image_filE\n")
    assert states() == INTACT | {TABLE: "changed"}
    assert found(TABLE).rule == "crop_chunk" and "SHA-256" in found(TABLE).detail


def test_a_truncated_file_is_found():
    Path(CROPPED).write_text("cro")
    assert states() == INTACT | {CROPPED: "changed"}


def test_a_temporary_file_may_be_gone_but_not_changed():
    record("fetch_chunk", ["wells.zip"], [CHUNK], temporary=True)
    Path(CHUNK).write_text("other")
    assert states()[CHUNK] == "changed"
    Path(CHUNK).unlink()
    assert states() == INTACT | {CHUNK: "removed"}


def test_a_missing_file_is_found():
    Path(CROPPED).unlink()
    assert states() == INTACT | {CROPPED: "missing"}


def test_a_file_that_became_a_folder_is_missing():
    Path(CROPPED).unlink()
    Path(CROPPED).mkdir()
    assert states() == INTACT | {CROPPED: "missing"}


def test_files_that_changed_places_are_found():
    Path(CROPPED).rename("crops")
    Path(TABLE).rename(CROPPED)
    Path("crops").rename(TABLE)
    assert states() == INTACT | {CROPPED: "changed", TABLE: "changed"}


def test_a_file_made_from_other_bytes_is_stale():
    Path(CHUNK).write_text("other photographs")
    record("fetch_chunk", ["wells.zip"], [CHUNK])
    assert states() == INTACT | {CROPPED: "stale", TABLE: "stale"}
    assert CHUNK in found(CROPPED).detail


def test_other_bytes_of_an_input_for_which_no_job_runs_again_make_nothing_stale():
    record("crop_chunk", [CHUNK, "wells.zip"], [CROPPED, TABLE], ancient=(CHUNK,))
    Path(CHUNK).write_text("other photographs")
    record("fetch_chunk", ["wells.zip"], [CHUNK])
    assert states() == INTACT
    Path("wells.zip").write_text("other wells")
    assert set(states().values()) == {"stale"}


def test_a_zip_whose_chunks_are_all_in_later_zips_is_superseded():
    for chunk in "23":
        Path(f"crops{chunk}").write_text(chunk)
    for name, chunks, ended in (("1-2", "2", "2026-01-01"), ("1-3", "23", "2026-02-01")):
        Path(f"results/cropped/part{name}.zip").write_text(name)
        crops = [CROPPED, *(f"crops{chunk}" for chunk in chunks)]
        joined = [f"results/cropped/part{name}.zip"]
        record("pack_zip", crops, joined, name=name, ended=ended, supersedes=True)
    old, new = "results/cropped/part1-2.zip", "results/cropped/part1-3.zip"
    assert states() == INTACT | {old: "superseded", new: "intact"}
    assert new in found(old).detail
    Path(old).write_text("1-X")
    assert states()[old] == "changed"
    Path(old).unlink()
    Path(CROPPED).write_text("cro")
    assert states() == INTACT | {CROPPED: "changed", old: "superseded", new: "stale"}


def test_size_and_time_find_what_was_written_and_not_what_was_only_touched():
    assert {finding.state for finding in audit(".", Scope(share=0))} == {"intact"}
    Path(CROPPED).touch()
    assert {finding.state for finding in audit(".", Scope(share=0))} == {"intact"}
    Path(TABLE).write_text("image_filE\n")
    assert {finding.path: finding.state for finding in audit(".", Scope(share=0))} == INTACT | {TABLE: "changed"}


def test_only_hashes_find_a_changed_byte_under_the_old_time():
    before = Path(CROPPED).stat()
    Path(CROPPED).write_text("crOps")
    os.utime(CROPPED, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert {finding.state for finding in audit(".", Scope(share=0))} == {"intact"}
    assert {finding.state for finding in audit(".", Scope(paths=[TABLE]))} == {"intact"}
    assert [finding.state for finding in audit(".", Scope(paths=[CROPPED]))] == ["changed"]
    assert states()[CROPPED] == "changed"


def test_odd_names_and_links_that_lead_nowhere_are_named():
    names = ["results/Käfer und Mücken.txt", "results/tab\tin it", "results/lost link"]
    for name in names[:2]:
        Path(name).write_text("by hand")
    Path(names[2]).symlink_to("nothing")
    assert states() == INTACT | dict.fromkeys(names, "orphan")


def test_a_changed_input_from_outside_makes_stale():
    Path("wells.zip").write_text("other wells")
    assert states() == INTACT | {CHUNK: "stale"}
    Path("wells.zip").unlink()
    assert states() == INTACT


def test_a_file_of_no_record_is_an_orphan():
    for path in ("results/cropped/part2.zip.part", "data/notes.txt", "results/benchmarks.tsv"):
        Path(path).write_text("by hand")
        assert states() == INTACT | {path: "orphan"}
        Path(path).unlink()


def test_what_needs_no_record():
    for path in (
        "results/bench/a.tsv",
        "results/.snakemake_timestamp",
        "logs/a.log",
        "notes.txt",
    ):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_text("" if path.endswith("_timestamp") else "text")
    assert states() == INTACT


def test_a_file_among_these_that_has_a_record_is_held_against_it():
    path = "results/ro-crate/ro-crate-metadata.json"
    Path(path).parent.mkdir()
    Path(path).write_text("{}")
    record("audit_results", [], [path])
    assert states() == INTACT | {path: "intact"}
    Path(path).write_text("{ }")
    assert states() == INTACT | {path: "changed"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"rule": "crop_chunk", "inputs": [',
        b"\xff\xfe\x00",
        b"[]",
        b"17",
        b"{}",
        b'{"rule": "crop_chunk", "code": "crop_chunk:1", "inputs": [], "outputs": [{}]}',
        b'{"rule": "crop_chunk", "code": null, "inputs": [], "outputs": []}',
        b'{"rule": "crop_chunk", "code": "a:1", "inputs": [], "outputs": null}',
    ],
)
def test_a_damaged_record_is_named_and_the_rest_is_still_audited(content):
    path = RECORDS / "crop_chunk/part1.json"
    path.write_bytes(content)
    assert states() == {
        CHUNK: "intact",
        CROPPED: "orphan",
        TABLE: "orphan",
        path.as_posix(): "unreadable record",
    }
    assert found(path.as_posix()).detail


def test_a_file_made_by_other_code_is_named_with_both_digests():
    record("crop_chunk", [CHUNK], [CROPPED, TABLE], code="crop_chunk:0000000000000000")
    assert states() == INTACT | {CROPPED: "other code than today's", TABLE: "other code than today's"}
    assert found(TABLE).detail == f"made by crop_chunk:0000000000000000, today's code is {code_digest('crop_chunk')}"


def test_a_file_made_by_a_script_that_is_gone():
    record("crop_chunk", [CHUNK], [CROPPED, TABLE], code="crop_everything:0000000000000000")
    assert found(TABLE).state == "other code than today's" and found(TABLE).detail.endswith("today's code is gone")


def test_states_are_counted():
    Path(CROPPED).unlink()
    assert count_states(audit(".")) == {"intact": 2, "missing": 1}


def test_the_script_writes_table_counts_and_page():
    Path("data/notes.txt").write_text("by hand")
    audit_results(plan(), "kept", *NAMES)
    assert json.loads(Path("summary").read_text()) == {"files": 4, "intact": 3, "orphan": 1}
    assert Path("table").read_text().splitlines()[:2] == [
        "path\tstate\trule\tdetail",
        f"{CHUNK}\tintact\tfetch_chunk\t",
    ]
    assert "data/notes.txt" in Path("page").read_text() and CROPPED not in Path("page").read_text()


def test_the_script_fails_with_the_names_of_what_is_at_fault_and_keeps_the_table(caplog):
    Path(CROPPED).unlink()
    Path(TABLE).write_text("changed")
    Path("data/notes.txt").write_text("by hand")
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(InputError, match=rf"^2 files .*{CROPPED} \(missing\), {TABLE} \(changed\)"),
    ):
        audit_results(plan(), "kept", *NAMES)
    assert all(Path(name).is_file() for name in NAMES)
    assert f"{TABLE}: changed; SHA-256" in caplog.text
    assert Path("kept").read_text() == Path("table").read_text()  # Snakemake removes the outputs of a job that fails


def test_parameters_are_compared_with_todays_plan():
    assert {finding.state for finding in audit(".", plan=plan())} == {"intact"}
    findings = {finding.path: finding for finding in audit(".", plan=plan(ratio=1.5))}
    assert findings[CHUNK].state == "intact"
    assert findings[TABLE].state == findings[CROPPED].state == "other parameters than today's"
    assert findings[CROPPED].detail == "crop.ratio: made by 1.4, today 1.5"


@pytest.mark.parametrize("unplanned", [{"crops": False}, None])
def test_what_no_target_asks_for_any_more_is_not_in_this_run(unplanned):
    today = JobPlan({}, {}, {}) if unplanned is None else plan(**unplanned)
    states = {finding.path: finding.state for finding in audit(".", plan=today)}
    assert states[CROPPED] == states[TABLE] == "not in this run"


def test_a_changed_file_is_changed_whatever_the_plan_is():
    Path(CROPPED).write_text("other crops")
    states = {finding.path: finding.state for finding in audit(".", plan=plan(ratio=1.5))}
    assert states[CROPPED] == "changed" and states[TABLE] == "other parameters than today's"


def test_a_parameter_that_is_no_longer_a_reason_to_run_a_job_is_not_compared():
    record("crop_chunk", [CHUNK], [CROPPED, TABLE], crop={"ratio": 1.4}, threads=4)
    assert {finding.state for finding in audit(".", plan=plan()) if finding.path == TABLE} != {"intact"}
    record("crop_chunk", [CHUNK], [CROPPED, TABLE], crop={"ratio": 1.4}, unwatched=4)
    assert {finding.state for finding in audit(".", plan=plan())} == {"intact"}
