"""Folders and zips of a user's own become chunks.tsv and metadata.tsv."""

from __future__ import annotations

import csv
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import write_manifest
from bioscan1m.archives import list_members, read_members
from bioscan1m.errors import InputError
from bioscan1m.fetch.fetching import check_zip, fetch
from bioscan1m.plan.configuration import validate_config
from bioscan1m.plan.manifest import read_manifest
from bioscan1m.plan.own_labels import SOURCE_COLUMNS
from workflow_runs import REPOSITORY
from write_manifest import prepare_run

SCHEMA = REPOSITORY / "rules/schemas/config.schema.yaml"


@pytest.fixture
def photographs(tmp_path) -> Path:
    """A folder of five images in two folders, and a file that is no image."""
    folder = tmp_path / "photographs"
    for name in ("ants/a1.jpg", "ants/a2.jpg", "bees/b1.jpg", "bees/b2.png", "wasp.JPG", "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def archive(tmp_path) -> Path:
    """A zip of two more images."""
    path = tmp_path / "more.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("part7/z1.jpg", b"z1")
        file.writestr("part7/z2.jpg", b"z2")
    return path


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def column(path: Path, name: str) -> dict[str, str]:
    return {row["image_file"]: row[name] for row in read(path)}


def fetch_all(run: Path) -> dict[str, list[str]]:
    """Fetch the chunks of a run as its rules would: chunk -> image files."""
    images = {}
    for chunk, facts in read_manifest(run / "chunks.tsv").items():
        path = run / f"data/part{chunk}.zip"
        fetch(facts["source"], path, facts["bytes"], facts["checksum"], attempts=1, timeout=5, check=check_zip)
        images[chunk] = [member.image_file for member in list_members(path)]
    return images


def test_a_folder_and_a_zip_are_a_chunk_each_and_can_be_fetched(tmp_path, photographs, archive, monkeypatch):
    run = tmp_path / "run"
    prepare_run([photographs, archive], run, 10_000)
    monkeypatch.chdir(run)
    images = fetch_all(run)
    assert images == {"1": ["a1.jpg", "a2.jpg", "b1.jpg", "b2.png", "wasp.JPG"], "2": ["z1.jpg", "z2.jpg"]}
    assert [(row["image_file"], row["chunk_number"]) for row in read(run / "metadata.tsv")] == [
        (image, chunk) for chunk in images for image in images[chunk]
    ]
    assert not (run / "source").exists()


def test_a_large_folder_is_split_and_zipped(tmp_path, photographs, archive, monkeypatch):
    run = tmp_path / "run"
    prepare_run([photographs, archive], run, 2)
    monkeypatch.chdir(run)
    images = fetch_all(run)
    assert list(images.values()) == [["a1.jpg", "a2.jpg"], ["b1.jpg", "b2.png"], ["wasp.JPG"], ["z1.jpg", "z2.jpg"]]
    assert [data for _, data in read_members(run / "source/part3.zip")] == [b"wasp.JPG"]
    assert [facts["source"] for facts in read_manifest("chunks.tsv").values()] == [
        "source/part1.zip",
        "source/part2.zip",
        "source/part3.zip",
        str(archive),
    ]


def test_the_same_images_give_the_same_files(tmp_path, photographs):
    for run in ("one", "two"):
        prepare_run([photographs], tmp_path / run, 3)
    files = [sorted(path for path in (tmp_path / run).rglob("*") if path.is_file()) for run in ("one", "two")]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    assert {path.name for path in files[0]} == {"chunks.tsv", "config.yaml", "metadata.tsv", "part1.zip", "part2.zip"}


def test_each_label_column_becomes_an_experiment_that_the_config_allows(tmp_path, photographs):
    labels = tmp_path / "labels.tsv"
    labels.write_text("image_file\torder\tcaste of ants\na1.jpg\tDiptera\tworker\n")
    run = tmp_path / "run"
    prepare_run([photographs], run, 10, labels, label_columns=["order", "caste of ants"])
    config = yaml.safe_load((run / "config.yaml").read_text())
    validate_config(config, SCHEMA)
    assert {name: task["label"] for name, task in config["splits"]["experiments"].items()} == {
        "by_order": "order",
        "by_caste_of_ants": "caste of ants",
    }


def test_a_config_that_is_there_is_left_and_said_to_be(tmp_path, photographs, caplog):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("edited: true\n")
    prepare_run([photographs], run, 10)
    assert (run / "config.yaml").read_text() == "edited: true\n"
    assert "config.yaml: left as it is" in caplog.text


def test_without_labels_nothing_is_classified(tmp_path, photographs):
    prepare_run([photographs], tmp_path / "run", 10)
    rows = read(tmp_path / "run/metadata.tsv")
    assert tuple(rows[0]) == SOURCE_COLUMNS
    assert len(SOURCE_COLUMNS) == 16
    assert {(row["order"], row["name"], row["sampleid"], row["nucraw"]) for row in rows} == {
        ("not_classified", "not_classified", "", "")
    }
    assert not (tmp_path / "run/unmatched.tsv").exists()


def test_labels_are_found_by_path_or_by_name(tmp_path, photographs):
    labels = table(
        tmp_path / "labels.tsv",
        "file\torder\tfamily\tcaste\tsampleid",
        "photographs/ants/a1.jpg\tHymenoptera\tFormicidae\tworker\tS1",
        "a2.jpg\tHymenoptera\t\t\tS2",
        "bees\\b1.jpg\tHymenoptera\tApidae\tqueen\t",
        "elsewhere/b2.png\tDiptera\t\t\t",
    )
    run = tmp_path / "run"
    prepare_run([photographs], run, 10, labels, "file", ["order", "family", "caste", "sampleid"])
    rows = {row["image_file"]: row for row in read(run / "metadata.tsv")}
    assert tuple(rows["a1.jpg"]) == (*SOURCE_COLUMNS, "caste")
    taken = {
        image: [row[name] for name in ("order", "family", "name", "caste", "sampleid")] for image, row in rows.items()
    }
    unknown = "not_classified"
    assert taken == {
        "a1.jpg": ["Hymenoptera", "Formicidae", "Formicidae", "worker", "S1"],
        "a2.jpg": ["Hymenoptera", unknown, "Hymenoptera", unknown, "S2"],
        "b1.jpg": ["Hymenoptera", "Apidae", "Apidae", "queen", ""],
        "b2.png": ["Diptera", unknown, "Diptera", unknown, ""],
        "wasp.JPG": [unknown, unknown, unknown, unknown, ""],
    }


def test_of_rows_with_one_name_that_with_the_right_folder_counts(tmp_path, photographs):
    rows = ("image_file\torder", "ants/a1.jpg\tHymenoptera", "flies/a1.jpg\tDiptera")
    prepare_run([photographs], tmp_path / "run", 10, table(tmp_path / "labels.tsv", *rows))
    assert column(tmp_path / "run/metadata.tsv", "order")["a1.jpg"] == "Hymenoptera"


def test_what_has_no_counterpart_is_listed(tmp_path, photographs, caplog):
    rows = ("image_file\torder", "a1.jpg\tHymenoptera", "gone.jpg\tDiptera")
    labels = table(tmp_path / "labels.tsv", *rows)
    prepare_run([photographs / "ants"], tmp_path / "run", 10, labels)
    assert column(tmp_path / "run/unmatched.tsv", "problem") == {
        "a2.jpg": "image without row",
        "gone.jpg": "row without image",
    }
    assert "row without image: 1, the first: gone.jpg" in caplog.text
    prepare_run([photographs / "ants"], tmp_path / "run", 10, table(labels, *rows[:2], "a2.jpg\tHymenoptera"))
    assert not (tmp_path / "run/unmatched.tsv").exists()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["name\torder", "a1.jpg\tX"], ["no column image_file", "name, order", "--image-column"]),
        (["image_file,order", "a1.jpg,X"], ["no column image_file", "tab-separated"]),
        (["image_file\tcaste", "a1.jpg\tX"], ["no column of labels", "--label-columns", "caste"]),
        (["image_file\torder", "a1.jpg\tX", "wasp.JPG\tX", "ants/a1.jpg\tY"], ["rows 2 and 4", "ants/a1.jpg"]),
    ],
)
def test_a_mistake_in_the_labels_is_told_and_nothing_is_written(tmp_path, photographs, rows, told):
    labels = table(tmp_path / "labels.tsv", *rows)
    with pytest.raises(InputError) as error:
        prepare_run([photographs], tmp_path / "run", 10, labels)
    assert [text for text in (str(labels), *told) if text not in str(error.value)] == []
    assert not (tmp_path / "run").exists()


def test_two_images_of_one_name_are_told_with_both_paths(tmp_path, photographs):
    other = tmp_path / "other"
    other.mkdir()
    (other / "a1.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"photographs/ants/a1\.jpg and .*other/a1\.jpg"):
        prepare_run([photographs, other], tmp_path / "run", 10)
    with pytest.raises(InputError, match="same name"):
        prepare_run([photographs, photographs], tmp_path / "run", 10)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("photographs")
def test_places_without_images_are_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as file:
        file.writestr("a.txt", b"")
    for place, told in {
        "empty": "no image in this folder",
        "texts.zip": "no image in this zip",
        "absent": "no such file",
        "photographs/README.md": "not a readable zip",
    }.items():
        with pytest.raises(InputError, match=f"{place}: {told}"):
            prepare_run([tmp_path / place], tmp_path / "run", 10)


def test_the_command_says_what_to_do_next_and_what_is_wrong_without_a_traceback(tmp_path, photographs):
    command = [sys.executable, write_manifest.__file__, "--out", str(tmp_path / "run"), "--images"]
    done = subprocess.run([*command, str(photographs)], capture_output=True, text=True, check=False)
    assert (done.returncode, "snakemake --directory" in done.stderr) == (0, True)
    failed = subprocess.run([*command, str(tmp_path / "absent")], capture_output=True, text=True, check=False)
    assert (failed.returncode, "Traceback" in failed.stderr, "absent: no such file" in failed.stderr) == (
        1,
        False,
        True,
    )
