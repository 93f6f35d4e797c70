"""A job that is run again finds its inputs by the paths that it had, and everything around the run stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bioscan1m.audit.reproduction import lay_out_inputs
from bioscan1m.foundation.digests import describe_files
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.records import RECORDS, Record, write_record
from reproduce_job import main

CROPS = "results/cropped/part1.zip"
# Relative to the run: out of it in the config, in parameters and inputs, one within another; and what leads back to it.
OUTSIDE = ["../../detector", "../../detector/weights.bin", "../labels.tsv", "../../../shared/chunk.zip"]
BACK = ["..", "../run", "../run/source/part1.zip", "../../../../../../../../../../../../etc/hostname", "../gone.tsv"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run in folder/of/run below a place with what its relative paths lead to."""
    folder = tmp_path / "place/folder/of/run"
    files = ["config.yaml", CROPS, "results/boxes/part1.parquet", "source/part1.zip", *OUTSIDE[1:]]
    for path in (folder / name for name in files):
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / path.name).write_text(path.name)
    config = {"detector": {"base": OUTSIDE[0]}, "sources": [*BACK, {"labels": OUTSIDE[2]}, 5, None]}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder.resolve()


def record(inputs: list[str]) -> Record:
    content = {"rule": "resize_chunk", "inputs": [{"path": path} for path in inputs], "parameters": {"of": OUTSIDE[1]}}
    return Record("", "", "", content | {"outputs": []})


def tree(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_relative_paths_lead_to_the_same_files_and_nothing_is_written_beside_the_scratch_folder(run: Path) -> None:
    place, scratch = run.parents[2], run.parents[3] / "scratch"
    before = tree(place)
    folder = lay_out_inputs(run, record([CROPS, OUTSIDE[3]]), scratch)
    for path in (CROPS, "source/part1.zip", "config.yaml", *OUTSIDE[1:]):
        assert (folder / path).samefile(run / path)
    assert folder.is_relative_to(scratch) and not folder.is_symlink()
    assert not (folder / "results/boxes").exists()  # another job's, and no input
    assert tree(place) == before and sorted(place.parent.iterdir()) == [place, scratch]


def test_a_run_without_such_paths_is_laid_out_in_the_scratch_folder_itself(run: Path, tmp_path: Path) -> None:
    (run / "config.yaml").unlink()
    inside = Record("", "", "", record([CROPS]).content | {"parameters": {}})
    assert lay_out_inputs(run, inside, tmp_path / "scratch") == tmp_path / "scratch"


def test_a_folder_that_is_not_empty_is_refused(run: Path) -> None:
    with pytest.raises(InputError, match="not empty"):
        lay_out_inputs(run, record([CROPS]), run.parent)


def test_a_scratch_that_is_no_folder_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("crops.zip").write_text("crops")
    described = {"inputs": [], "outputs": describe_files(["crops.zip"]), "parameters": {}}
    write_record(f"{RECORDS}/crop_chunk/part1.json", {"rule": "crop_chunk", "code": "crop_chunk:1", **described})
    monkeypatch.setattr("sys.argv", ["reproduce_job", ".", "crops.zip", "--scratch", "crops.zip"])
    assert main() == 2
    assert capsys.readouterr().err.startswith("reproduce_job: [Errno 17] File exists: ")
