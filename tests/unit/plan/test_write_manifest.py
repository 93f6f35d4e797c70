"""Folders and zips of a user's own become chunks.tsv and metadata.tsv."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import write_manifest
from bioscan1m.fetch.content import check_zip
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation.archives import ZipWriter, list_members, read_members
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.image_keys import flatten_path
from bioscan1m.foundation.recipe_hook import writing_by_recipe
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
        fetch(
            *(facts["source"], path, facts["bytes"], facts["checksum"]),
            attempts=1,
            timeout=5,
            check=check_zip,
            key_folder=facts.get("key_folder"),
        )
        images[chunk] = [member.image_file for member in list_members(path)]
    return images


def test_a_folder_and_a_zip_are_a_chunk_each_and_can_be_fetched(tmp_path, photographs, archive, monkeypatch):
    run = tmp_path / "run"
    prepare_run([photographs, archive], run, 10_000)
    monkeypatch.chdir(run)
    images = fetch_all(run)
    of_folder = ["ants~a1.jpg", "ants~a2.jpg", "bees~b1.jpg", "bees~b2.png", "wasp.JPG"]
    assert images == {"1": of_folder, "2": ["z1.jpg", "z2.jpg"]}
    assert [(row["image_file"], row["chunk_number"]) for row in read(run / "metadata.tsv")] == [
        (image, chunk) for chunk in images for image in images[chunk]
    ]
    assert not (run / "source").exists()


def test_a_large_folder_is_split_and_zipped(tmp_path, photographs, archive, monkeypatch):
    run = tmp_path / "run"
    prepare_run([photographs, archive], run, 2)
    monkeypatch.chdir(run)
    images = fetch_all(run)
    of_folder = [["ants~a1.jpg", "ants~a2.jpg"], ["bees~b1.jpg", "bees~b2.png"], ["wasp.JPG"]]
    assert list(images.values()) == [*of_folder, ["z1.jpg", "z2.jpg"]]
    assert [row["image_file"] for row in read(Path("metadata.tsv"))] == [
        name for names in images.values() for name in names
    ]
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
    assert config["paper_figures"] is False
    assert config["detector"]["detection"]["below_threshold"] == "drop"  # a well without an insect is no specimen
    backbones = config["classifier"]["backbones"].values()
    assert [backbone["normalisation"] for backbone in backbones] == ["weights"] * 2  # both are pretrained


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


def test_without_labels_the_run_is_said_to_train_nothing(tmp_path, photographs, caplog):
    prepare_run([photographs], tmp_path / "run", 10)
    assert "no classifiers: the run makes boxes, crops, packages and metadata alone" in caplog.text
    config = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    validate_config(config, SCHEMA)
    assert config["splits"]["experiments"] == config["classifier"]["trials"] == {}


def test_labels_of_which_no_column_is_named_are_said_to_train_nothing(tmp_path, photographs, caplog):
    labels = table(tmp_path / "labels.tsv", "image_file\torder\tfamily", "a1.jpg\tX\tY")
    prepare_run([photographs], tmp_path / "run", 10, labels)
    assert "by --label-columns (found: order, family)" in caplog.text


def test_labels_in_doubt_are_logged_and_not_merged(tmp_path, photographs, caplog):
    rows = ("image_file\tkind", "a1.jpg\tant", "a2.jpg\tAnt", "b1.jpg\tNA", "b2.png\tred\u00a0ant", "wasp.JPG\tred ant")
    labels = table(tmp_path / "labels.tsv", *rows)
    prepare_run([photographs], tmp_path / "run", 10, labels, label_columns=["kind"])
    assert "labels in doubt in kind: 'NA' (1 rows) beside 'not_classified' (0): may stand for no label" in caplog.text
    assert r"'red\xa0ant' (1 rows) beside 'red ant' (1): white space" in caplog.text
    assert "'ant' (1 rows) beside 'Ant' (1): upper and lower case" in caplog.text
    assert set(column(tmp_path / "run/metadata.tsv", "kind").values()) == {
        "ant",
        "Ant",
        "NA",
        "red\u00a0ant",
        "red ant",
    }


def test_names_of_folders_in_doubt_are_logged_too(tmp_path, photographs, caplog):
    (photographs / "Ants").mkdir()
    (photographs / "Ants/a3.jpg").write_bytes(b"image")
    prepare_run([photographs], tmp_path / "run", 10, levels=("family",))
    assert "names of folders: labels in doubt in family: 'Ants' (1 images) beside 'ants' (2)" in caplog.text


def test_missing_labels_stand_in_the_config_too(tmp_path, photographs):
    labels = table(tmp_path / "labels.tsv", "image_file\tkind", "a1.jpg\tant", "a2.jpg\t?", "b1.jpg\tbee")
    prepare_run([photographs], tmp_path / "run", 10, labels, label_columns=["kind"], missing_labels=["?"])
    assert yaml.safe_load((tmp_path / "run/config.yaml").read_text())["labels"] == {"missing": ["?"], "map": {}}
    assert column(tmp_path / "run/metadata.tsv", "kind")["ants~a2.jpg"] == "not_classified"


@pytest.mark.parametrize(
    ("header", "columns", "fault"),
    [
        ("image_file\tby rank\tby_rank", ["by rank", "by_rank"], "'by rank' and 'by_rank' both give the experiment"),
        ("image_file\tKind\tkind", ["Kind", "kind"], "'Kind' and 'kind' both give the experiment by_kind"),
        ("image_file\tkind\tby_kind", ["kind"], "column 'by_kind' has the name of the experiment of 'kind'"),
    ],
)
def test_experiments_that_would_share_a_name_are_refused(tmp_path, photographs, header, columns, fault):
    labels = table(tmp_path / "labels.tsv", header, "a1.jpg\tX\tY")
    with pytest.raises(InputError, match=fault):
        prepare_run([photographs], tmp_path / "run", 10, labels, label_columns=columns)
    assert not (tmp_path / "run").exists()


def test_a_rank_in_another_case_gives_the_experiment_of_the_rank(tmp_path, photographs):
    labels = table(tmp_path / "labels.tsv", "image_file\tFamily\tGenus\tOrder", "a1.jpg\tNA\tNA\tDiptera")
    prepare_run([photographs], tmp_path / "run", 10, labels, label_columns=["Family", "Order"])
    experiments = yaml.safe_load((tmp_path / "run/config.yaml").read_text())["splits"]["experiments"]
    assert experiments == {"by_family": {"label": "family"}, "by_order": {"label": "order"}}
    row = next(row for row in read(tmp_path / "run/metadata.tsv") if row["image_file"] == "ants~a1.jpg")
    assert [row[name] for name in ("name", "order", "family", "genus")] == [
        "Diptera",
        "Diptera",
        *["not_classified"] * 2,
    ]


def test_columns_of_labels_without_a_table_are_refused(tmp_path, photographs):
    with pytest.raises(InputError, match="--label-columns order: there is no table of labels"):
        prepare_run([photographs], tmp_path / "run", 10, label_columns=["order"])


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
    assert tuple(rows["ants~a1.jpg"]) == (*SOURCE_COLUMNS, "caste")
    taken = {
        image: [row[name] for name in ("order", "family", "name", "caste", "sampleid")] for image, row in rows.items()
    }
    unknown = "not_classified"
    assert taken == {
        "ants~a1.jpg": ["Hymenoptera", "Formicidae", "Formicidae", "worker", "S1"],
        "ants~a2.jpg": ["Hymenoptera", unknown, "Hymenoptera", unknown, "S2"],
        "bees~b1.jpg": ["Hymenoptera", "Apidae", "Apidae", "queen", ""],
        "bees~b2.png": ["Diptera", unknown, "Diptera", unknown, ""],
        "wasp.JPG": [unknown, unknown, unknown, unknown, ""],
    }


def test_of_rows_with_one_name_that_with_the_right_folder_counts(tmp_path, photographs):
    rows = ("image_file\torder", "ants/a1.jpg\tHymenoptera", "flies/a1.jpg\tDiptera")
    prepare_run([photographs], tmp_path / "run", 10, table(tmp_path / "labels.tsv", *rows))
    assert column(tmp_path / "run/metadata.tsv", "order")["ants~a1.jpg"] == "Hymenoptera"


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
        (["image_file\torder"], ["has a header, image_file, order, and no row"]),
        (["image_file\torder\torder", "a1.jpg\tX\tY"], ["row 1: two columns are called 'order'"]),
        (["image_file\torder", "a1.jpg\tX\tY", "wasp.JPG\tX\tZ"], ["row 2 has 3 cells, 'Y'", "row 3 has 3 cells"]),
        (["image_file\torder", 'a1.jpg\t"X', "wasp.JPG\tY"], ["row 2: a quote is not closed", "--quotes data"]),
        (["image_file\torder", "x.jpg\tX"], ["no row names an image", "x.jpg", "ants/a1.jpg"]),
        (["image_file\tcaste", "a1.jpg\tX"], ["no column of labels", "--label-columns", "caste"]),
        (
            ["image_file\torder", "a1.jpg\tX", "wasp.JPG\tX", "ants/a1.jpg\tY"],
            ["two rows name the same image", "'a1.jpg' and 'ants/a1.jpg'"],
        ),
    ],
)
def test_a_mistake_in_the_labels_is_told_and_nothing_is_written(tmp_path, photographs, rows, told):
    labels = table(tmp_path / "labels.tsv", *rows)
    with pytest.raises(InputError) as error:
        prepare_run([photographs], tmp_path / "run", 10, labels)
    assert [text for text in (str(labels), *told) if text not in str(error.value)] == []
    assert not (tmp_path / "run").exists()


CAMERA = ("IMG_0001.JPG", "IMG_0002.JPG")


def of_camera(place: Path) -> Path:
    """A folder with the file names that every camera begins with; a zip of it where the name has that suffix."""
    folder = place.with_suffix("")
    folder.mkdir(parents=True)
    for name in CAMERA:
        (folder / name).write_bytes(f"{place}/{name}".encode())
    return Path(shutil.make_archive(str(folder), "zip", folder)) if place.suffix == ".zip" else place


@pytest.mark.parametrize(
    ("places", "folders"),
    [
        (["museum/Apidae", "museum/Formicidae"], [".", "Formicidae"]),
        (["2023.zip", "2024.zip", "2025.zip"], [None, "2024", "2025"]),
        (["2023/trap.zip", "2024/trap.zip"], [None, "trap"]),
        (["2023/trap", "2024/trap", "2025/trap.zip"], [".", "trap", "2025/trap"]),
        (["a/.x", "b/.x"], [".", "x"]),
        (["one", "other.zip"], [".", "other"]),
    ],
)
def test_places_with_equal_file_names_have_keys_of_their_own(tmp_path, places, folders, monkeypatch):
    paths = [of_camera(tmp_path / place) for place in places]
    run = tmp_path / "run"
    prepare_run(paths, run, 10)
    assert [facts.get("key_folder") for facts in read_manifest(run / "chunks.tsv").values()] == folders
    monkeypatch.chdir(run)
    images = [sorted(names) for names in fetch_all(run).values()]
    starts = ["" if folder in (None, ".") else flatten_path(folder) + "~" for folder in folders]
    assert images == [[start + name for name in CAMERA] for start in starts]
    assert sorted(column(run / "metadata.tsv", "name")) == sorted(name for names in images for name in names)


def test_zips_that_state_their_key_folder_keep_it(tmp_path, monkeypatch):
    for family in ("Apidae", "Formicidae"):
        of_camera(tmp_path / "museum" / family)
    prepare_run([tmp_path / "museum"], tmp_path / "run", 2)
    zips = sorted((tmp_path / "run/source").glob("*.zip"))
    again = shutil.copy(zips[0], tmp_path / "again.zip")
    prepare_run([*zips, of_camera(tmp_path / "new"), again], tmp_path / "other", 9)
    monkeypatch.chdir(tmp_path / "other")
    images = fetch_all(Path())
    starts = ["Apidae~", "Formicidae~", "", "again~Apidae~"]
    assert list(images.values()) == [[start + name for name in CAMERA] for start in starts]
    assert [row["image_file"] for row in read(Path("metadata.tsv"))] == [
        key for keys in images.values() for key in keys
    ]


def test_the_keys_of_earlier_places_stay_where_one_is_added(tmp_path):
    paths = [of_camera(tmp_path / name) for name in ("Apidae", "Formicidae", "Vespidae.zip")]
    prepare_run(paths[:2], tmp_path / "before", 10)
    prepare_run(paths, tmp_path / "after", 10)
    before, after = (read(tmp_path / run / "metadata.tsv") for run in ("before", "after"))
    assert after[: len(before)] == before and len(after) == len(before) + len(CAMERA)


def test_places_keep_their_keys_where_another_grows(tmp_path):
    paths = [of_camera(tmp_path / name) for name in ("Apidae", "Formicidae", "Vespidae.zip")]
    (paths[1] / "new.jpg").write_bytes(b"new")
    run = tmp_path / "run"
    prepare_run(paths, run, 10)
    before = column(run / "metadata.tsv", "chunk_number")
    for name in CAMERA:  # no path of the first place is one of the others any more
        (paths[0] / name).rename(paths[0] / f"first_{name}")
    new = of_camera(tmp_path / "first")
    prepare_run([new, *paths], run, 10)
    after = column(run / "metadata.tsv", "chunk_number")
    assert {key: str(int(chunk) + 1) for key, chunk in before.items() if chunk != "1"}.items() <= after.items()
    (paths[0] / "new.jpg").write_bytes(b"of the first")
    prepare_run(paths, run, 10)
    assert {key: chunk for key, chunk in before.items() if chunk != "1"}.items() <= column(
        run / "metadata.tsv", "chunk_number"
    ).items()


def test_a_new_image_with_the_key_of_another_place_is_refused_with_both(tmp_path):
    first, second = tmp_path / "A", tmp_path / "B"
    for folder, name in ((first, "1.jpg"), (second, "2.jpg")):
        folder.mkdir()
        (folder / name).write_bytes(b"image")
    prepare_run([first, second], tmp_path / "run", 10)
    before = (tmp_path / "run/metadata.tsv").read_bytes()
    (first / "2.jpg").write_bytes(b"new")
    with pytest.raises(InputError, match=r"B: 1 images have the keys .* such as 2\.jpg that of one in .*A; rename"):
        prepare_run([first, second], tmp_path / "run", 10)
    assert (tmp_path / "run/metadata.tsv").read_bytes() == before


def test_zips_of_a_run_are_a_source_with_the_keys_that_they_have(tmp_path, monkeypatch):
    names = ["Apidae~1.jpg", "Apidae~2.jpg"]
    for place in ("one", "two"):
        with writing_by_recipe(lambda: "0" * 64), ZipWriter(tmp_path / f"{place}.zip") as archive:
            for name in names:
                archive.add(f"part1/{name}", b"image")
    for _ in range(2):
        prepare_run([tmp_path / "one.zip", tmp_path / "two.zip"], tmp_path / "run", 10)
        images = [row["image_file"] for row in read(tmp_path / "run/metadata.tsv")]
        assert images == [*names, *(f"two~{name}" for name in names)]
    monkeypatch.chdir(tmp_path / "run")
    assert [name for chunk in fetch_all(Path()).values() for name in chunk] == images


def test_one_place_twice_and_paths_too_long_for_keys_are_told(tmp_path, photographs):
    with pytest.raises(InputError, match="photographs: given twice"):
        prepare_run([photographs, photographs], tmp_path / "run", 10)
    deep = photographs / "x".join("/" + "d" * 100 for _ in range(3)).strip("/")
    deep.mkdir(parents=True)
    (deep / "a.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"1 paths of images are longer than 255 bytes: ddd"):
        prepare_run([photographs], tmp_path / "run", 10)
    assert not (tmp_path / "run").exists()


def test_names_that_are_one_file_on_windows_are_warned_of(tmp_path, photographs, caplog):
    (photographs / "ANTS").mkdir()
    (photographs / "ANTS/A1.jpg").write_bytes(b"")
    prepare_run([photographs], tmp_path / "run", 10)
    assert (
        "2 images differ only in upper and lower case or Unicode form, such as ANTS/A1.jpg and ants/a1.jpg"
        in caplog.text
    )


@pytest.mark.parametrize("encoding", ["utf-8", "cp437", "cp850", "cp1252", "mac_roman", "cp932"])
def test_names_of_a_zip_in_any_encoding_find_their_rows(tmp_path, encoding):
    names = {"cp932": "テントウ.jpg"}.get(encoding, "Käfer ö.jpg")
    stand_in = "x" * (len(names.encode(encoding)) - 4) + ".jpg"
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as file:
        file.writestr(stand_in, b"image")
    data = (tmp_path / "old.zip").read_bytes().replace(stand_in.encode(), names.encode(encoding))
    (tmp_path / "old.zip").write_bytes(data)
    labels = table(tmp_path / "labels.tsv", "image_file\torder", f"{names}\tColeoptera")
    prepare_run([tmp_path / "old.zip"], tmp_path / "run", 10, labels)
    (member,) = list_members(tmp_path / "old.zip")
    assert column(tmp_path / "run/metadata.tsv", "order") == {member.image_file: "Coleoptera"}


def test_names_in_an_unknown_encoding_are_listed_in_all_spellings(tmp_path, photographs):
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as file:
        file.writestr("Kxfer.jpg", b"image")
    (tmp_path / "old.zip").write_bytes((tmp_path / "old.zip").read_bytes().replace(b"Kxfer", "Käfer".encode("cp1252")))
    labels = table(tmp_path / "labels.tsv", "image_file\torder", "a1.jpg\tHymenoptera", "Kaefer.jpg\tColeoptera")
    prepare_run([photographs, tmp_path / "old.zip"], tmp_path / "run", 10, labels)
    spellings = column(tmp_path / "run/unmatched.tsv", "other_spellings")
    assert "Käfer.jpg" in spellings["KΣfer.jpg"].split(", ")
    with pytest.raises(InputError, match=r"no row names an image.*images: KΣfer\.jpg \(or K.fer\.jpg\)"):
        prepare_run([tmp_path / "old.zip"], tmp_path / "other", 10, labels)


def test_levels_of_folders_become_labels_and_experiments_beside_the_table(tmp_path, photographs):
    labels = table(tmp_path / "labels.csv", "image_file;caste", "ants/a1.jpg;worker")
    run = tmp_path / "run"
    prepare_run([photographs], run, 10, labels, label_columns=["caste"], levels=("family",))
    assert column(run / "metadata.tsv", "family") == {
        **dict.fromkeys(("ants~a1.jpg", "ants~a2.jpg"), "ants"),
        **dict.fromkeys(("bees~b1.jpg", "bees~b2.png"), "bees"),
        "wasp.JPG": "not_classified",
    }
    assert column(run / "metadata.tsv", "caste")["ants~a1.jpg"] == "worker"
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert list(config["splits"]["experiments"]) == ["by_caste", "by_family"]
    problems = {(row["image_file"], row["problem"]) for row in read(run / "unmatched.tsv")}
    assert ("wasp.JPG", "image in fewer or more folders than have labels") in problems
    table(labels, "image_file;family", "ants/a1.jpg;Formicidae")
    with pytest.raises(InputError, match="has a column family, which --labels-from-folders gives too"):
        prepare_run([photographs], run, 10, labels, levels=("family",))


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
        2,
        False,
        True,
    )


def test_a_folder_of_the_run_that_cannot_be_made_is_one_message(tmp_path, photographs):
    (tmp_path / "file").write_text("")
    command = [
        sys.executable,
        write_manifest.__file__,
        "--images",
        str(photographs),
        "--out",
        str(tmp_path / "file/run"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith(
        "write_manifest: [Errno 20] Not a directory"
    )


def test_photographs_of_one_specimen_get_one_role(tmp_path, photographs):
    rows = ("image_file\tsampleid\tkind", "a1.jpg\tS1\tant", "a2.jpg\tS1\tant", "b1.jpg\tNA\tbee", "b2.png\tNA\tbee")
    labels = table(tmp_path / "labels.tsv", *rows)
    prepare_run([photographs], tmp_path / "run", 10, labels, label_columns=["kind"])
    assert yaml.safe_load((tmp_path / "run/config.yaml").read_text())["splits"]["group"] == "sampleid"
    labels = table(tmp_path / "labels.tsv", rows[0], rows[1], *rows[3:])
    prepare_run([photographs], tmp_path / "other", 10, labels, label_columns=["kind"])
    assert yaml.safe_load((tmp_path / "other/config.yaml").read_text())["splits"]["group"] is None
