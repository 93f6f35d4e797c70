"""The record of the job that made a file is found, and not by reading all records of the run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.foundation.checkout import REPOSITORY
from bioscan1m.jobs import producers as module
from bioscan1m.jobs.producers import producers
from bioscan1m.jobs.records import RECORDS, write_record

CHUNKS = 300


def write(rule: str, name: str, *outputs: str, ended: str = "") -> None:
    files = [{"path": path, "bytes": 1, "sha256": "0" * 64} for path in outputs]
    content = {"rule": rule, "inputs": [], "outputs": files, "parameters": {}, "code": f"{rule}:1", "ended": ended}
    write_record(Path(RECORDS) / rule / f"{name}.json", content)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of many chunks, and one rule that joins them."""
    monkeypatch.chdir(tmp_path)
    for chunk in range(CHUNKS):
        write("crop_chunk", f"part{chunk}", f"results/cropped/crops_part{chunk}.zip")
    write("summarise_boxes", "boxes", "results/statistics/boxes.tsv")
    write("train", "small/vit_seed1", "results/experiments/small/vit_seed1/model.safetensors")
    write("train", "small/vit_seed2", "results/experiments/small/vit_seed2/model.safetensors")
    return tmp_path


PRODUCERS = {
    "results/cropped/crops_part7.zip": "crop_chunk/part7.json",
    "results/statistics/boxes.tsv": "summarise_boxes/boxes.json",
    "results/experiments/small/vit_seed2/model.safetensors": "train/small/vit_seed2.json",
}


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("path", PRODUCERS)
def test_the_record_is_found_among_few(monkeypatch, path):
    read = []
    reading = module._record_naming
    monkeypatch.setattr(module, "_record_naming", lambda name, paths: read.append(name) or reading(name, paths))
    assert producers([path])[path][0].path == f"{RECORDS}/{PRODUCERS[path]}"
    assert len(read) <= 4


@pytest.mark.usefixtures("run")
def test_all_inputs_of_a_join_are_found():
    paths = [f"results/cropped/crops_part{chunk}.zip" for chunk in range(CHUNKS)]
    assert producers(paths).keys() == set(paths)


@given(
    names=st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1), max_size=4)
)
def test_a_file_is_found_whatever_its_name_and_that_of_its_record(tmp_path_factory, names):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("run"))
        for number, name in enumerate(names):
            write("rule", str(number), f"results/{name}")
        assert producers([f"results/{name}" for name in names]).keys() == {f"results/{name}" for name in names}
        assert not producers(["results/another/file"])


def test_no_records_name_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert producers(["results/statistics/boxes.tsv"]) == {}


def test_the_records_of_all_rules_are_named_as_is_assumed():
    """Each part of a record's path that has a wildcard is in the path of each output of its rule."""
    rules = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "rules").glob("*.smk"))
    folders = dict(re.findall(r'^([A-Z_]+) = "(.*)"', rules, flags=re.MULTILINE))
    checked = 0
    for text in re.findall(r"^    output:\n(.*?)^    \S", rules, flags=re.DOTALL | re.MULTILINE):
        block = re.sub(
            r"\{(\w+)\}", lambda name: folders.get(name[1], name[0]), text.replace("{{", "{").replace("}}", "}")
        )
        (record,) = re.findall(r"results/provenance/records/\w+/(.*)\.json", block)
        parts = [part for part in record.split("/") if "{" in part]
        for path in re.findall(r'"((?:results|data)/[^"]*)"', block):
            assert all(part in path for part in parts), (record, path)
            checked += len(parts)
    assert checked > 40
