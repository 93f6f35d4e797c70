"""A job that cannot be run again as it was is one message."""

from __future__ import annotations

from pathlib import Path

from bioscan1m.foundation.digests import describe_files
from bioscan1m.jobs.records import RECORDS, write_record
from reproduce_job import main


def test_a_scratch_that_is_no_folder_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("crops.zip").write_text("crops")
    described = {"inputs": [], "outputs": describe_files(["crops.zip"]), "parameters": {}}
    write_record(f"{RECORDS}/crop_chunk/part1.json", {"rule": "crop_chunk", "code": "crop_chunk:1", **described})
    monkeypatch.setattr("sys.argv", ["reproduce_job", ".", "crops.zip", "--scratch", "crops.zip"])
    assert main() == 1
    assert capsys.readouterr().err.startswith("reproduce_job: [Errno 17] File exists: ")
