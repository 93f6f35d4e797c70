"""A copy whose files have their bytes gets their times back; what has other bytes is named and keeps its new time."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from adopt_run import adopt_run
from bioscan1m.foundation.digests import describe_files
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.records import RECORDS, write_record

SOURCE, CHUNK, CROPPED, TABLE = "source/part1.zip", "data/part1.zip", "results/part1.zip", "results/part1.tsv"
JOBS = {"fetch_chunk": ([SOURCE], [CHUNK]), "crop_chunk": ([CHUNK], [CROPPED, TABLE]), "list": ([CROPPED], ["x.tsv"])}
FILES = [SOURCE, CHUNK, CROPPED, TABLE, "x.tsv"]


def record_of(rule: str) -> Path:
    return Path(RECORDS) / rule / "part1.json"


@pytest.fixture(autouse=True)
def times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The times of the files of a run; it is copied then, in a random order."""
    monkeypatch.chdir(tmp_path)
    for number, path in enumerate(FILES):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(path)
        os.utime(path, ns=(number * 10**9 + 5, number * 10**9 + 5))
    for number, (rule, (inputs, outputs)) in enumerate(JOBS.items()):
        described = {"inputs": describe_files(inputs), "outputs": describe_files(outputs), "parameters": {}}
        ended = f"2026-01-01T00:00:0{number}+00:00"
        write_record(record_of(rule), {"rule": rule, "code": f"{rule}:0", "ended": ended, **described})
    before = {path: Path(path).stat().st_mtime_ns for path in FILES}
    copied = [*FILES, *map(record_of, JOBS)]
    random.Random(1).shuffle(copied)
    for number, path in enumerate(copied):
        os.utime(path, (2_000_000_000 + number, 2_000_000_000 + number))
    return before


def test_times_are_as_they_were_and_no_output_is_older_than_an_input(times, capsys):
    assert adopt_run(Path()) == 0 and "The files of 3 jobs are as their records have them" in capsys.readouterr().out
    assert {path: Path(path).stat().st_mtime_ns for path in FILES} == times
    for rule, (inputs, outputs) in JOBS.items():
        made = min(Path(path).stat().st_mtime_ns for path in (*outputs, record_of(rule)))
        assert made >= max(Path(path).stat().st_mtime_ns for path in inputs)


def test_other_bytes_are_named_and_newer_than_what_was_made_from_them(times, capsys):
    Path(CHUNK).write_text("damaged")
    assert adopt_run(Path()) == 1
    assert f"{CHUNK}: other bytes than its record has" in capsys.readouterr().out
    assert Path(CHUNK).stat().st_mtime_ns > Path(CROPPED).stat().st_mtime_ns == times[CROPPED]


def test_missing_files_and_files_outside_of_the_run_are_left_alone(tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "weights"
    outside.write_text("weights")
    described = {"inputs": describe_files([str(outside)]), "outputs": describe_files(["x.tsv"]), "parameters": {}}
    write_record(
        record_of("list"), {"rule": "list", "code": "list:0", "ended": "2026-01-02T00:00:00+00:00"} | described
    )
    Path(CROPPED).unlink()
    os.utime(outside, (7, 7))
    assert adopt_run(Path()) == 0 and outside.stat().st_mtime == 7 and not Path(CROPPED).exists()


def test_a_folder_that_is_no_run_or_at_work_is_refused(tmp_path):
    Path(".snakemake/locks").mkdir(parents=True)
    Path(".snakemake/locks/0.output.lock").touch()
    with pytest.raises(InputError, match="locked by Snakemake"):
        adopt_run(Path())
    with pytest.raises(InputError, match="no run of this workflow"):
        adopt_run(tmp_path / "source")
