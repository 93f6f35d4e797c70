"""What a user fills in as correct becomes the next chunk of a run with its labels; what is not clear is refused."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.fetch.content import check_zip
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation.archives import ZipWriter, list_members, read_members
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.foundation.user_tables import Dialect
from bioscan1m.metadata.table import NOT_CLASSIFIED
from bioscan1m.plan.corrected_chunk import add_corrected_chunk
from bioscan1m.plan.corrections import Lineages
from bioscan1m.plan.manifest import read_manifest
from workflow_runs import REPOSITORY
from write_manifest import prepare_run

COLUMNS = ["image_file", "verdict", "taxon", "rank", "reason", "correct"]
LABELLED = [
    ("a.jpg", "Hymenoptera", "Apidae", "Apis", "yes"),
    ("b.jpg", "Hymenoptera", "Formicidae", "", "no"),
    ("c.jpg", "Diptera", "Phoridae", "Phora", "no"),
    ("d.jpg", "Diptera", "", "", "Apidae"),
]
PREDICTED = {"n1.jpg": "Apidae", "n2.jpg": "Phoridae", "nest~n3.jpg": "Apidae", "n4.jpg": ""}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run on four labelled images."""
    images = tmp_path / "images"
    images.mkdir()
    for name, *_ in LABELLED:
        (images / name).write_bytes(name.encode())
    write_rows(tmp_path / "labels.tsv", ["image_file", "order", "family", "genus", "pinned"], LABELLED)
    labels = {"labels": tmp_path / "labels.tsv", "label_columns": ["order", "family", "pinned"]}
    prepare_run([images], tmp_path / "run", 100, **labels)
    return tmp_path / "run"


def predictions(run: Path, *corrections: str, name: str = "new-1a2b3c4d") -> Path:
    """The table of predictions of four photographs, corrected, beside their zip."""
    folder = run / "results/predictions" / name
    folder.mkdir(parents=True, exist_ok=True)
    with ZipWriter(folder / "photographs.zip") as archive:
        for image_file in PREDICTED:
            archive.add(image_file, f"{name} {image_file}".encode())
    rows = [
        [image_file, "named" if taxon else "unlike", taxon, "family" if taxon else "", "", correct]
        for (image_file, taxon), correct in zip(PREDICTED.items(), corrections, strict=True)
    ]
    write_rows(folder / "predictions.tsv", COLUMNS, rows)
    return folder / "predictions.tsv"


def add(table: Path, run: Path, *photographs: Path) -> None:
    add_corrected_chunk(table, run, photographs, Dialect())


def added(run: Path) -> dict[str, dict[str, str]]:
    """The rows of the metadata after those of the first images, by image_file."""
    with open(run / "metadata.tsv", encoding="utf-8", newline="") as file:
        return {row["image_file"]: row for row in list(csv.DictReader(file, delimiter="\t"))[len(LABELLED) :]}


def state(run: Path) -> dict[str, bytes]:
    """All files of a run but the predictions."""
    files = [path for path in run.rglob("*") if path.is_file() and "results" not in path.parts]
    return {str(path): path.read_bytes() for path in files}


def test_corrections_of_any_rank_are_labels_with_the_taxa_above(run):
    add(predictions(run, "Formicidae", "Apis", "Diptera", ""), run)
    ranks = ("order", "family", "genus", "chunk_number")
    assert {name: tuple(row[rank] for rank in ranks) for name, row in added(run).items()} == {
        "new-1a2b3c4d~n1.jpg": ("Hymenoptera", "Formicidae", NOT_CLASSIFIED, "2"),
        "new-1a2b3c4d~n2.jpg": ("Hymenoptera", "Apidae", "Apis", "2"),
        "new-1a2b3c4d~nest~n3.jpg": ("Diptera", NOT_CLASSIFIED, NOT_CLASSIFIED, "2"),
    }


def test_only_what_is_said_to_be_right_is_taken_as_predicted(run):
    add(predictions(run, "OK", "", "", "Phoridae"), run)
    assert {name: row["family"] for name, row in added(run).items()} == {
        "new-1a2b3c4d~n1.jpg": "Apidae",
        "new-1a2b3c4d~n4.jpg": "Phoridae",
    }


def test_a_class_that_is_called_yes_is_that_class_and_a_column_may_be_stated(run):
    add(predictions(run, "yes", "family: Apidae", "pinned:Apidae", ""), run)
    assert [(row["family"], row["pinned"]) for row in added(run).values()] == [
        (NOT_CLASSIFIED, "yes"),
        ("Apidae", NOT_CLASSIFIED),
        (NOT_CLASSIFIED, "Apidae"),
    ]


@pytest.mark.parametrize(
    ("corrections", "told"),
    [
        (("Formicidea", "", "", ""), "row 2: 'Formicidea' is no taxon .*; it resembles Formicidae"),
        (("", "phoridae", "", ""), "row 3: 'phoridae' is no taxon .*; it resembles Phoridae"),
        (("", "", "Apidae", ""), "row 4: 'Apidae' is in the columns family and pinned; write 'family: Apidae' or"),
        (("", "", "", "ok"), "row 5: 'ok', but no taxon was predicted"),
        (("order: Apidae", "", "", ""), "row 2: 'Apidae' is no order"),
        ((NOT_CLASSIFIED, "", "", ""), "row 2: 'not_classified' is no taxon"),
        (("", "", "", ""), "no row has a value in `correct`"),
        (("x1", "", "", "x2"), "row 2: 'x1' .*; row 5: 'x2'"),
    ],
)
def test_what_is_not_clear_is_refused_with_its_row_and_nothing_is_written(run, corrections, told):
    table = predictions(run, *corrections)
    before = state(run)
    with pytest.raises(InputError, match=told):
        add(table, run)
    assert state(run) == before


def test_a_taxon_of_two_families_is_refused(run):
    with (run / "metadata.tsv").open("a") as metadata:
        first = (run / "metadata.tsv").read_text().splitlines()[1]
        metadata.write(first.replace("Apidae", "Vespidae").replace("a.jpg", "e.jpg") + "\n")
    with pytest.raises(InputError, match="the rows of 'Apis' are of more than one family: Apidae, Vespidae"):
        add(predictions(run, "Apis", "", "", ""), run)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("n1.jpg", "n2.jpg"), "row 3: n2.jpg is in row 2 already"),
        (("\tnamed\t", "\tunusable\t"), "row 2: n1.jpg cannot be used as a photograph"),
        (("n1.jpg", "n9.jpg"), "n9.jpg: not in .*photographs.zip"),
        (("correct", "right"), "no column correct"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(run, change, told):
    table = predictions(run, "Phoridae", "Phoridae", "", "")
    table.write_text(table.read_text().replace(*change))
    before = state(run)
    with pytest.raises(InputError, match=told):
        add(table, run)
    assert state(run) == before


def test_the_chunk_can_be_fetched_and_has_the_images_of_the_rows(run):
    add(predictions(run, "Formicidae", "", "Diptera", ""), run)
    facts = read_manifest(run / "chunks.tsv")["2"]
    path = run / "data/part2.zip"
    fetch(str(run / facts["source"]), path, facts["bytes"], facts["checksum"], attempts=1, timeout=5, check=check_zip)
    assert [member.image_file for member in list_members(path)] == list(added(run))
    assert [data for _, data in read_members(path)] == [b"new-1a2b3c4d n1.jpg", b"new-1a2b3c4d nest~n3.jpg"]


@pytest.mark.parametrize("name", [".hidden", "back\\slash", "a~b", "new%41"])
def test_the_images_of_predictions_of_any_name_have_the_keys_of_their_rows(run, name):
    add(predictions(run, "ok", "ok", "", "", name=name), run)
    chunk = [member.image_file for member in list_members(run / "source/corrected2.zip")]
    assert chunk == list(added(run)) and len(chunk) == 2


def test_a_second_round_adds_what_is_new_and_other_photographs_of_equal_names(run, caplog):
    add(predictions(run, "Formicidae", "", "", ""), run)
    add(predictions(run, "Phoridae", "Diptera", "", ""), run)
    assert "1 photographs are in the run already" in caplog.text
    with pytest.raises(InputError, match="all 2 corrected photographs are in"):
        add(predictions(run, "Phoridae", "Diptera", "", ""), run)
    add(predictions(run, "Phora", "", "", "", name="other-99999999"), run)
    assert {name: (row["name"], row["chunk_number"]) for name, row in added(run).items()} == {
        "new-1a2b3c4d~n1.jpg": ("Formicidae", "2"),
        "new-1a2b3c4d~n2.jpg": ("Diptera", "3"),
        "other-99999999~n1.jpg": ("Phora", "4"),
    }
    assert list(read_manifest(run / "chunks.tsv")) == ["1", "2", "3", "4"]


@pytest.mark.parametrize("kind", ["semicolons", "workbook"])
def test_a_table_that_a_spreadsheet_saved_elsewhere_is_read(run, tmp_path, kind):
    table = predictions(run, "Formicidae", "Diptera", "", "")
    rows = [line.split("\t") for line in table.read_text().splitlines()]
    saved = tmp_path / ("saved.csv" if kind == "semicolons" else "saved.xlsx")
    if kind == "semicolons":
        saved.write_text("".join(";".join(row) + "\r\n" for row in rows), encoding="utf-8-sig")
    else:
        workbook = openpyxl.Workbook()
        for row in rows:
            workbook.active.append([cell or None for cell in row])
        workbook.save(saved)
    with pytest.raises(InputError, match=r"name by --images the photographs\.zip"):
        add(saved, run)
    add(saved, run, table.with_name("photographs.zip"))
    assert list(added(run)) == ["new-1a2b3c4d~n1.jpg", "new-1a2b3c4d~n2.jpg"]


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        ("metadata", "source", "https://example.org/metadata.tsv", "metadata.source is an address"),
        ("metadata", "checksum", f"md5:{'0' * 32}", "metadata.checksum is stated"),
        ("entry", "from", "cropped", "entry.from is cropped"),
    ],
)
def test_a_run_that_cannot_grow_is_named(run, section, key, value, told):
    config = yaml.safe_load((run / "config.yaml").read_text())
    config[section][key] = value
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(InputError, match=told):
        add(predictions(run, "Formicidae", "", "", ""), run)


def test_names_are_those_that_the_config_reads_the_metadata_as(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["labels"]["map"] = {"family": {"Formicidae": "ants"}}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    add(predictions(run, "ants", "", "", ""), run)
    assert [(row["order"], row["family"]) for row in added(run).values()] == [("Hymenoptera", "ants")]


def test_the_command_adds_a_chunk_and_takes_no_other_labels(run):
    table = predictions(run, "Formicidae", "", "", "")
    command = [sys.executable, str(REPOSITORY / "workflow_scripts/write_manifest.py"), "--from-predictions", str(table)]
    more = ["--out", str(run), "--labels", "x.tsv"]
    refused = subprocess.run([*command, *more], text=True, capture_output=True, check=False)
    assert refused.returncode == 2 and "leave out --labels" in refused.stderr
    shutil.copy(run / "config.yaml", run.parent)
    done = subprocess.run([*command, "--out", str(run)], text=True, capture_output=True, check=True)
    assert "1 of 4 rows have a correction" in done.stderr
    assert (run / "config.yaml").read_bytes() == (run.parent / "config.yaml").read_bytes()
    assert list(added(run)) == ["new-1a2b3c4d~n1.jpg"]


names = st.sampled_from([NOT_CLASSIFIED, "A", "B", "C", "D", "E"])


@given(st.lists(st.tuples(names, names, names), min_size=1), names)
def test_labels_are_those_of_rows_that_have_the_name_or_there_are_none(taxa, name):
    rows = [dict(zip(("order", "family", "genus"), one, strict=True)) for one in taxa]
    try:
        found = Lineages(("order", "family", "genus"), rows).find(name)
    except InputError:
        return
    own = list(found)[-1]
    assert found[own] == name != NOT_CLASSIFIED
    assert not any(name in (row[other] for other in row if other != own) for row in rows)
    for row in (row for row in rows if row[own] == name):
        assert all(row[rank] in (taxon, NOT_CLASSIFIED) for rank, taxon in found.items())


def test_the_joined_table_of_a_folder_in_parts_takes_its_photographs_from_the_parts(run):
    """A photograph has the same key, whether it is corrected in the table of its part or in the joined one."""
    joined = run / "results/predictions/new-1a2b3c4d/predictions.tsv"
    for part, name in (("part1", "a.jpg"), ("part2", "b.jpg")):
        table = predictions(run, "Apidae", "", "", "", name=f"new-1a2b3c4d/{part}")
        with ZipWriter(table.with_name("photographs.zip")) as archive:
            archive.add(name, b"image")
    write_rows(joined, COLUMNS, [("a.jpg", "unlike", "", "", "", "Apis"), ("b.jpg", "unlike", "", "", "", "Phora")])
    add(joined, run)
    assert set(added(run)) == {"new-1a2b3c4d~a.jpg", "new-1a2b3c4d~b.jpg"}
    part = joined.parent / "part1/predictions.tsv"
    write_rows(part, COLUMNS, [("a.jpg", "unlike", "", "", "", "Apis")])
    with pytest.raises(InputError, match="all 1 corrected photographs are in"):
        add(part, run)


def test_zips_of_two_folders_are_refused(run):
    table = predictions(run, "Apidae", "", "", "")
    other = predictions(run, "Apidae", "", "", "", name="other").with_name("photographs.zip")
    with pytest.raises(InputError, match="zips of new-1a2b3c4d and other"):
        add(table, run, table.with_name("photographs.zip"), other)
