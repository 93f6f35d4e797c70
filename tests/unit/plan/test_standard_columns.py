"""Columns of Darwin Core and of BOLD are known by their names, and nothing that is there is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from bioscan1m.foundation.name_matching import match_names
from bioscan1m.plan.own_labels import read_labels
from bioscan1m.plan.standard_columns import image_names


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_an_export_of_gbif_is_read_by_its_terms(tmp_path, caplog):
    caplog.set_level("INFO")
    media = "https://museum.example/media/K%C3%A4fer%201.jpg?size=full | https://museum.example/media/b.jpg"
    rows = ["catalogNumber\tscientificName\tfamily\tassociatedMedia", f"NHM-1\tApis mellifera\tApidae\t{media}"]
    labels = read_labels(write(tmp_path / "occurrence.txt", *rows))
    assert labels.columns == ("family",)
    found = match_names(labels.path, ["Käfer 1.jpg", "x/b.jpg"], labels.rows)
    assert {row["sampleid"] for row in found.values()} == {"NHM-1"} and len(found) == 2
    assert "catalogNumber as sampleid, scientificName as name" in caplog.text


def test_a_table_of_bold_is_read_by_its_names(tmp_path):
    rows = ["processid\tsampleid\tbin_uri\torder_name\tfile_name", "P1\tS1\tBOLD:AAA0001\tDiptera\ta.jpg"]
    labels = read_labels(write(tmp_path / "bold.tsv", *rows))
    ((name, cells),) = labels.rows
    assert (name, cells["uri"], cells["order"], cells["sampleid"]) == ("a.jpg", "BOLD:AAA0001", "Diptera", "S1")


def test_a_column_that_has_the_name_already_is_not_overwritten(tmp_path):
    rows = ["image_file\tfamily\tfamily_name\tcatalogNumber\tsampleid", "a.jpg\tApidae\tx\tc\ts"]
    ((_, cells),) = read_labels(write(tmp_path / "t.tsv", *rows)).rows
    assert list(cells) == ["image_file", "family", "family_name", "catalogNumber", "sampleid"]
    assert (cells["family"], cells["sampleid"]) == ("Apidae", "s")


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("a.jpg", ["a.jpg"]),
        ("ants\\a b.jpg", ["ants/a b.jpg"]),
        ("a.jpg|b.jpg", ["a.jpg", "b.jpg"]),
        ("a.jpg; b.jpg", ["a.jpg", "b.jpg"]),
        ("a;b", ["a", "b"]),
        ("Apis; female.JPG", ["Apis; female.JPG"]),
        ("ants\\a | b.jpg", ["ants/a | b.jpg"]),
        ("https://x.example/1;https://x.example/2/b.jpg", ["1", "b.jpg"]),
        ("http://x.example/1/a.jpg https://x.example/2/b.jpg", ["a.jpg", "b.jpg"]),
        ("", []),
    ],
)
def test_a_cell_may_name_several_images(cell, names):
    assert image_names(cell) == names


@pytest.mark.parametrize(
    "names",
    [("Family", "ORDER", "SampleID"), ("family", "order", "sampleid"), ("FAMILY", "Order_Name", "CatalogNumber")],
)
def test_ranks_and_identifiers_are_known_in_any_case(tmp_path, names, caplog):
    caplog.set_level("INFO")
    path = write(
        tmp_path / "t.csv", ",".join(["File", *names, "Kind"]), "a.jpg,NA,Diptera,S1,NA", "b.jpg,Apidae,x,S2,k"
    )
    labels = read_labels(path)
    assert (labels.columns, labels.others) == (("family", "order"), ("sampleid", "Kind"))
    assert labels.rows[0] == (
        "a.jpg",
        {"File": "a.jpg", "family": "", "order": "Diptera", "sampleid": "S1", "Kind": "NA"},
    )
    assert read_labels(path, names[0], [names[1], "Kind"]).columns == ("order", "Kind")
    assert ("Order" in caplog.text or "ORDER" in caplog.text) == (names[0] != "family")


def test_a_missing_taxon_is_none_also_where_the_column_is_no_label(tmp_path):
    rows = ["image_file,name,family,genus,order,note", "a.jpg,NA,NA,NA,Diptera,NA"]
    ((_, cells),) = read_labels(write(tmp_path / "t.csv", *rows), label_columns=["order"]).rows
    assert [cells[name] for name in ("name", "family", "genus", "order", "note")] == ["", "", "", "Diptera", "NA"]
