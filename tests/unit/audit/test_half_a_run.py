"""Whatever is left of a run, its audit and its crate name what is there and what is not, and never fail."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from audit_run import audit_paths
from bioscan1m.audit.crate import RunCrate
from bioscan1m.audit.evidence import read_evidence, read_sound_records
from bioscan1m.audit.findings import audit
from bioscan1m.foundation.digests import describe_files
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.jobs.ledger import LEDGER
from bioscan1m.jobs.records import RECORDS, write_record
from bioscan1m.jobs.sealing import seal

ABOUT = {"name": "Wells", "license": "https://creativecommons.org/licenses/by/4.0/"}


@pytest.fixture(autouse=True)
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five chunks, fetched and cropped, in a folder with a space and an umlaut; their records are sealed."""
    folder = tmp_path / "mein Lauf ü"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for part in range(5):
        chunk, crops = f"data/chunks/Teil {part}.zip", f"results/cropped/Käfer {part}.zip"
        for rule, inputs, output in (("fetch_chunk", [], chunk), ("crop_chunk", [chunk], crops)):
            Path(output).parent.mkdir(parents=True, exist_ok=True)
            Path(output).write_text(f"{rule} {part}")
            files = {"inputs": describe_files(inputs), "outputs": describe_files([output])}
            content = {"rule": rule, **files, "parameters": {}, "code": code_digest(rule)}
            write_record(
                Path(RECORDS) / rule / f"{part}.json", content | {"started": "2026-01-01", "ended": "2026-01-01"}
            )
    seal(LEDGER, read_sound_records("."), "2026-02-01")
    return folder


def states() -> dict[str, str]:
    return {finding.path: finding.state for finding in audit(".")}


def crate() -> list[dict]:
    return RunCrate(".", read_evidence(Path()).records, ["Snakefile"], ABOUT).as_json()["@graph"]


@pytest.mark.parametrize("seed", range(10))
def test_each_file_that_is_gone_is_named_and_the_others_are_intact(seed):
    chance = random.Random(seed)
    made = sorted(path for folder in ("data", "results") for path in Path(folder).rglob("*.zip"))
    files = [*made, *sorted(Path(RECORDS).rglob("*.json"))]
    gone = {path for path in files if chance.random() < 0.5}
    for path in gone:
        path.unlink()
    found = states()
    assert {found[path.as_posix()] for path in made if path not in gone} <= {"intact"}
    assert {found[path.as_posix()] for path in made if path in gone} <= {"missing", "removed"}
    in_crate = {entity["name"] for entity in crate() if entity["@type"] == "File"}
    assert {path.as_posix() for path in made if path not in gone} <= in_crate
    assert not {path.as_posix() for path in made if path in gone} & in_crate


def test_results_from_before_there_were_records_are_orphans(run, capsys):
    for path in sorted(Path("results/provenance").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    assert set(states().values()) == {"orphan"} and len(states()) == 10
    assert audit_paths(run, ["results/cropped/Käfer 1.zip"]) == 1
    assert "orphan, no record names these bytes" in capsys.readouterr().out
    assert not [entity for entity in crate() if entity["@type"] == "File"]


def test_records_of_an_older_form_are_exported():
    for path in Path(RECORDS).rglob("*.json"):
        content = json.loads(path.read_text())
        for key in ("digest", "started"):
            del content[key]
        for file in (*content["inputs"], *content["outputs"]):
            del file["mtime_ns"]
        path.write_text(json.dumps(content))
    Path(LEDGER).unlink()
    assert len([entity for entity in crate() if entity["@id"].startswith("#job-")]) == 10


@pytest.mark.parametrize("name", ["a file of another run.zip", "Übersicht.parquet", "leer.hdf5", "x.safetensors"])
def test_a_foreign_file_is_an_orphan_wherever_it_lies(run, tmp_path, capsys, name):
    for place in (tmp_path, run / "results"):
        (place / name).write_bytes(b"PK PAR1 and no more")
        assert audit_paths(run, [str(place / name)]) == 1
        printed = capsys.readouterr()
        assert "orphan" in printed.out and name in printed.out
    assert states()[f"results/{name}"] == "orphan"


def test_an_older_copy_that_left_the_run_is_known_by_the_ledger(run, tmp_path, capsys):
    copy = tmp_path / "kept.zip"
    copy.write_bytes(Path("results/cropped/Käfer 1.zip").read_bytes())
    Path("results/cropped/Käfer 1.zip").unlink()
    (Path(RECORDS) / "crop_chunk/1.json").unlink()
    assert audit_paths(run, [str(copy)]) == 0
    assert "a copy of results/cropped/Käfer 1.zip" in capsys.readouterr().out


def test_a_file_that_is_gone_may_be_named_from_where_the_command_runs(run, monkeypatch, capsys):
    (run / "results/cropped/Käfer 0.zip").unlink()
    monkeypatch.chdir(run.parent)
    for path in ("results/cropped/Käfer 0.zip", f"{run.name}/results/cropped/Käfer 0.zip"):
        assert audit_paths(Path(run.name), [path]) == 1
        assert capsys.readouterr().out.startswith("results/cropped/Käfer 0.zip: missing")
