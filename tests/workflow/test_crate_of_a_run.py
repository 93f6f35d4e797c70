"""The crate of a finished run is valid, complete, and named by the report and by the dataset's descriptions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from offline_contexts import issues_of_crate

from bioscan1m.audit.crate import METADATA

pytestmark = pytest.mark.workflow

# They came after the crate, or made it.
LATER = {"audit", "export_crate", "render_tables"}


def test_the_validator_accepts_the_crate(small_run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small_run.folder)  # the validator does not take an absolute path with a space in it
    assert issues_of_crate(Path(METADATA).parent, tmp_path / "cache") == []


def test_every_job_and_every_file_is_in_the_crate(small_run) -> None:
    entities = {entity["@id"]: entity for entity in json.loads((small_run / METADATA).read_text())["@graph"]}
    records = (small_run / "results/provenance/records").rglob("*.json")
    paths = {path.relative_to(small_run.folder).as_posix() for path in records}
    jobs = {name.removeprefix("#job-") for name in entities if name.startswith("#job-")}
    assert {path.split("/")[3] for path in paths - jobs} <= LATER and len(jobs) > 50
    assert {"@id": "../packages/cropped_256.hdf5"} in entities["./"]["hasPart"]
    assert str(small_run.folder) not in (small_run / METADATA).read_text()


def test_the_report_and_the_descriptions_name_the_crate(small_run) -> None:
    assert "ro-crate-metadata.json" in (small_run / "results/report.html").read_text()
    for name in ("BIOSCAN_Insect_Dataset_metadata.jsonld", "croissant.json"):
        described = small_run / "results/metadata" / name
        crate = json.loads(described.read_text())["subjectOf"]["url"]
        assert (described.parent / crate).resolve() == (small_run / METADATA).resolve()
