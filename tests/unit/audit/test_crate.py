"""A run exported as RO-Crate is what the profile asks for, names every job and file, and always has the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from offline_contexts import issues_of_crate

from bioscan1m.audit.crate import METADATA, RunCrate
from bioscan1m.audit.evidence import read_sound_records
from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.digests import describe_files
from bioscan1m.jobs.acceptance import Acceptance, Accepted, Decision, accepted_by
from bioscan1m.jobs.records import RECORDS, write_record

ABOUT = {"name": "Käfer & Co", "license": "https://creativecommons.org/licenses/by/4.0/"}
CHUNK, CROPPED = "data/chunks/Teil 1.zip", "results/cropped/Käfer 1.zip"


def run_job(rule: str, inputs: list[str], outputs: list[str], day: int, **parameters: object) -> None:
    for path in outputs:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(f"{rule} {day}")
    content = {
        "rule": rule,
        "wildcards": {"chunk": "1"},
        "inputs": describe_files(inputs),
        "outputs": describe_files(outputs),
        "parameters": parameters,
        "code": f"{rule}:0123",
        "software": {"python": "3.12.1", "snakemake": "9.27.1"},
        "started": f"2026-01-0{day}T10:00:00+00:00",
        "ended": f"2026-01-0{day}T11:00:00+00:00",
    }
    write_record(Path(RECORDS) / rule / "part1.json", content)


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A chunk of the user's own was fetched, then cropped into two files."""
    folder = tmp_path / "mein Lauf ü"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (tmp_path / "wells.zip").write_text("wells")
    run_job("fetch_chunk", [str(tmp_path / "wells.zip")], [CHUNK], 1, source={"source": "/home/me/wells.zip"})
    run_job("crop_chunk", [CHUNK], [CROPPED, "results/quarantine/part1.tsv"], 2, crop={"ratio": 1.4})
    return folder


def export(accepted: Accepted | None = None) -> dict[str, dict]:
    """Write the crate of the working directory; its entities by their ids."""
    crate = RunCrate(".", read_sound_records("."), ["Snakefile"], ABOUT, accepted).as_json()
    write_json(METADATA, crate)
    Path(METADATA).with_name("Snakefile").write_text("rule all:\n")
    return {entity["@id"]: entity for entity in crate["@graph"]}


def test_the_validator_accepts_it(tmp_path):
    export()
    assert issues_of_crate(Path(METADATA).parent, tmp_path / "cache") == []


def test_the_validator_would_say_what_is_wrong(tmp_path):
    entities = export()
    del entities["#orchestration"]["object"]
    write_json(METADATA, json.loads(Path(METADATA).read_text()) | {"@graph": list(entities.values())})
    assert any("OrganizeAction" in issue for issue in issues_of_crate(Path(METADATA).parent, tmp_path / "cache"))


def test_each_job_names_its_files_where_they_lie():
    entities = export()
    job = entities[f"#job-{RECORDS}/crop_chunk/part1.json"]
    (read,) = [item["@id"] for item in job["object"] if item["@id"] in entities and "sha256" in entities[item["@id"]]]
    assert read == "../../data/chunks/Teil%201.zip" and entities[read]["name"] == CHUNK
    made = [item["@id"] for item in job["result"]]
    assert made == ["../cropped/K%C3%A4fer%201.zip", "../quarantine/part1.tsv"]
    assert (Path(METADATA).parent / "../cropped/Käfer 1.zip").read_text() == "crop_chunk 2"
    assert (job["startTime"], job["endTime"]) == ("2026-01-02T10:00:00+00:00", "2026-01-02T11:00:00+00:00")
    parameters = [entities[item["@id"]] for item in job["object"] if item["@id"].startswith("#parameter-")]
    assert [(each["name"], json.loads(each["value"])) for each in parameters] == [("crop", {"ratio": 1.4})]


def test_what_lies_outside_or_is_gone_is_known_by_its_digest(tmp_path):
    Path(CHUNK).unlink()
    entities = export()
    assert not [name for name in entities if str(tmp_path) in name or "data/chunks" in name]
    known = {entity["name"]: entity["@type"] for name, entity in entities.items() if name.startswith("#sha256-")}
    assert known == {"wells.zip": "CreativeWork", "Teil 1.zip": "CreativeWork"}


def test_the_same_records_give_the_same_bytes(run, monkeypatch):
    export()
    before = Path(METADATA).read_bytes()
    monkeypatch.chdir(run.rename(run.with_name("moved")))
    export()
    assert Path(METADATA).read_bytes() == before and "2026-01-02" in before.decode()


def test_an_acceptance_of_earlier_code_is_an_action_with_its_jobs_person_time_and_reason(tmp_path):
    acceptances = [Acceptance(rule, f"{rule}:0123", f"{rule}:4567", 1) for rule in ("crop_chunk", "resize_chunk")]
    decision = Decision("accepted", tuple(acceptances), "Ada Ünal", "2026-02-01T10:00:00+00:00", "the same crops")
    entities = export(accepted_by([decision]))
    (action,) = [entity for entity in entities.values() if entity["@type"] == "AcceptAction"]  # nothing was resized
    (job,) = action["object"] if isinstance(action["object"], list) else [action["object"]]
    assert entities[job["@id"]]["name"] == "crop_chunk chunk=1"
    assert entities[action["agent"]["@id"]]["name"] == "Ada Ünal"
    assert (action["endTime"], action["description"]) == ("2026-02-01T10:00:00+00:00", "the same crops")
    assert {"@id": action["@id"]} in entities["./"]["mentions"]
    assert issues_of_crate(Path(METADATA).parent, tmp_path / "cache") == []
