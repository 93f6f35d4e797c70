"""Metadata that would spoil results is refused with its rows; what is doubtful is counted with an example."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from bioscan1m.foundation.errors import InputError
from bioscan1m.metadata import table as metadata
from bioscan1m.metadata.table import NOT_CLASSIFIED
from bioscan1m.metadata.validation import validate_metadata

GOOD = {
    "sampleid": [f"BIOUG1-A0{n}" for n in range(4)],
    "processid": [f"P{n}" for n in range(4)],
    "uri": ["BOLD:AAA1234"] * 4,
    "name": ["Phoridae", "Phoridae", "Formicidae", "Diptera"],
    "phylum": ["Arthropoda"] * 4,
    "class": ["Insecta"] * 4,
    "order": ["Diptera", "Diptera", "Hymenoptera", "Diptera"],
    "family": ["Phoridae", "Phoridae", "Formicidae", NOT_CLASSIFIED],
    **{rank: [NOT_CLASSIFIED] * 4 for rank in ("subfamily", "tribe", "genus", "species", "subspecies")},
    "nucraw": ["ACGT", "ACGN", "AC-T", "ACGT"],
    "image_file": [f"{n}.jpg" for n in range(4)],
    "chunk_number": ["1", "1", "2", "2"],
    "photographer": ["CBG Robotic Imager"] * 4,
}


def validate(
    folder: Path, table: dict[str, list[str]], labels=("family", "order")
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the splits need of the table, and the warnings, by check."""
    source = folder / "source.tsv"
    pd.DataFrame(table).to_csv(source, sep="\t", index=False)
    made = folder / "validated.parquet", folder / "warnings.tsv"
    counts = validate_metadata(source, ["1", "2"], list(labels), ["bees"], *made, threads=2)
    assert counts == {"in": len(table["image_file"]), "out": len(table["image_file"])}
    warnings = pd.read_csv(folder / "warnings.tsv", sep="\t", keep_default_na=False).set_index("check")
    return pq.read_table(folder / "validated.parquet").to_pandas(), warnings


def changed(column: str, row: int, value: str) -> dict[str, list[str]]:
    """The good table with one cell changed."""
    return GOOD | {column: [value if place == row else old for place, old in enumerate(GOOD[column])]}


def test_good_metadata_passes_and_the_splits_get_labels_and_published_roles(tmp_path):
    validated, warnings = validate(tmp_path, GOOD | {"bees": ["train", "test", "no_split", "train"]})
    assert list(validated) == ["image_file", "chunk_number", "family", "order", "bees"]
    assert validated["order"].tolist() == GOOD["order"]
    assert (warnings["rows"] == 0).all() and (warnings["example"] == "").all()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({k: v for k, v in GOOD.items() if k != "order"}, r"no column order; there are: sampleid, .*image_file"),
        ({k: v for k, v in GOOD.items() if k != "image_file"}, r"no column image_file"),
        ({k: [] for k in GOOD}, "no rows"),
        (changed("image_file", 3, "1.jpg"), r"image_file is not unique: '1.jpg' in rows 3, 5\."),
        (changed("image_file", 2, ""), r"image_file is empty in row 4"),
        (changed("image_file", 2, "part1/2.jpg"), r"image_file is a path in row 4"),
        (changed("image_file", 2, "ä" * 128), r"image_file is longer than a file name can be, 255 bytes, in row 4"),
        (GOOD | {"chunk_number": ["7"] * 4}, r"no row has .* The rows have chunk 7, the manifest chunks 1, 2\."),
    ],
    ids=["no label", "no image_file", "no rows", "repeated", "blank", "path", "long", "chunk"],
)
def test_what_would_spoil_results_is_refused(tmp_path, table, message):
    with pytest.raises(InputError, match=f"source.tsv: .*{message}"):
        validate(tmp_path, table)
    assert not (tmp_path / "validated.parquet").exists()


def test_doubts_of_all_pieces_of_a_table_are_counted_and_the_first_has_its_row(tmp_path, monkeypatch):
    long = {column: values * 25 for column, values in GOOD.items()} | {"image_file": [f"{n}.jpg" for n in range(100)]}
    long["uri"] = ["BOLD:AAA1234"] * 40 + ["BOLD:1"] * 2 + ["BOLD:AAA1234"] * 55 + ["BOLD:2"] * 3
    monkeypatch.setattr(metadata, "BYTES_PER_PIECE", 500)
    _, warnings = validate(tmp_path, long)
    assert warnings.loc["uri is no BIN of the form BOLD:AAA1234"].tolist() == [5, "row 42: uri = 'BOLD:1'"]
    assert warnings.loc["sampleid is there more than once", "rows"] == 100


def test_a_message_names_a_few_and_counts_the_others(tmp_path):
    many = {"image_file": [f"{n // 2}.jpg" for n in range(80)], "chunk_number": ["1"] * 80, "kind": ["ant"] * 80}
    with pytest.raises(InputError, match=r"'0.jpg' in rows 2, 3; .*'19.jpg' in rows 40, 41; and 20 more"):
        validate(tmp_path, many, ["kind"])
    with pytest.raises(InputError, match=r"image_file is empty in rows 2, 3, .* 20, 21 and 60 more"):
        validate(tmp_path, many | {"image_file": [""] * 80}, ["kind"])


@pytest.mark.parametrize(
    ("column", "row", "value", "check", "rows", "example"),
    [
        ("family", 1, "", "family is blank", 1, "row 3: family = ''"),
        ("genus", 1, " ", "another taxon is blank", 1, "row 3"),
        ("uri", 2, "BOLD:1234", "uri is no BIN", 1, "row 4: uri = 'BOLD:1234'"),
        ("nucraw", 0, "ACGU", "nucraw has letters", 1, "row 2: nucraw = 'ACGU'"),
        ("sampleid", 3, "BIOUG1-A00", "sampleid is there more than once", 2, "row 2: sampleid = 'BIOUG1-A00'"),
        ("chunk_number", 1, "7", "chunk_number is not in the manifest", 1, "row 3: chunk_number = '7'"),
        ("order", 1, "Hymenoptera", "family lies in more than one order", 2, "row 2: family = 'Phoridae'"),
    ],
)
def test_doubtful_rows_are_counted_with_an_example(tmp_path, column, row, value, check, rows, example):
    _, warnings = validate(tmp_path, changed(column, row, value))
    found = warnings[warnings["rows"] > 0]
    assert len(found) == 1 and found.index[0].startswith(check)
    assert found["rows"].iloc[0] == rows and found["example"].iloc[0].startswith(example)


@pytest.mark.parametrize(("column", "value"), [("uri", ""), ("uri", NOT_CLASSIFIED), ("nucraw", ""), ("sampleid", "")])
def test_what_is_not_known_is_no_doubt(tmp_path, column, value):
    _, warnings = validate(tmp_path, GOOD | {column: [value] * 4})
    assert (warnings["rows"] == 0).all()


def test_blank_taxa_are_not_classified(tmp_path):
    validated, _ = validate(tmp_path, changed("family", 0, "  "))
    assert list(validated["family"]) == [NOT_CLASSIFIED, "Phoridae", "Formicidae", NOT_CLASSIFIED]


def test_own_images_need_their_label_alone(tmp_path):
    own = {"image_file": ["a.jpg", "b.jpg", "c.jpg"], "chunk_number": ["1", "1", "2"], "kind": ["ant", "", "bee"]}
    validated, warnings = validate(tmp_path, own, ["kind"])
    assert list(validated["kind"]) == ["ant", NOT_CLASSIFIED, "bee"]
    doubts = warnings["rows"]
    assert doubts[doubts > 0].to_dict() == {"kind is blank, read as not_classified": 1}
