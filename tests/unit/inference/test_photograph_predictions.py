"""Every photograph has a row with one verdict, and with the reason where it has no name."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from bioscan1m.boxes.table import CORNERS, SCHEMA, write_boxes
from bioscan1m.foundation.quarantine import COLUMNS
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.inference.cascade import Identification
from bioscan1m.inference.photograph_predictions import (
    COLUMNS as TABLE_COLUMNS,
)
from bioscan1m.inference.photograph_predictions import (
    NEARLY_EQUAL,
    Sighting,
    list_photographs,
    tabulate_verdicts,
    to_classify,
)


@pytest.fixture
def package() -> dict[str, bytes]:
    """The photographs a.jpg and c.jpg, which could be used."""
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(buffer, "JPEG")
    return dict.fromkeys(["a.jpg", "c.jpg"], buffer.getvalue())


@pytest.fixture
def quarantine(tmp_path: Path) -> list[Path]:
    write_rows(tmp_path / "detect.tsv", COLUMNS, [("b.txt", "detect", "not an image")])
    write_rows(tmp_path / "cropped_256.tsv", COLUMNS, [])
    return [tmp_path / "detect.tsv", tmp_path / "cropped_256.tsv"]


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    rows = [
        {"image_file": "c.jpg", "status": "detected", **dict(zip(CORNERS, [1.0, 2, 3, 4], strict=True)), "score": 0.9},
        {"image_file": "b.txt", "status": "unreadable"},
        {"image_file": "a.jpg", "status": "detected", "score": 0.7, "tiny": True, "ambiguous": True},
        {"image_file": "d.jpg", "status": "below_threshold", "score": 0.2, "tiny": True},
        {"image_file": "e.jpg", "status": "below_threshold", "score": 0.1, "blank": True},
    ]
    write_boxes(tmp_path / "boxes.parquet", pd.DataFrame(rows, columns=SCHEMA.names), {})
    return tmp_path / "boxes.parquet"


@pytest.mark.parametrize("cropped", [True, False])
def test_of_a_name_that_a_zip_has_twice_only_the_second_photograph_is_unusable(tmp_path, package, boxes, cropped):
    twice = [{"image_file": "a.jpg", "status": status} for status in ("detected", "unreadable")]
    write_boxes(boxes, pd.DataFrame(twice, columns=SCHEMA.names), {})
    write_rows(tmp_path / "lost.tsv", COLUMNS, [("a.jpg", "detect", "duplicate member name: a.jpg")])
    photographs = list_photographs({"a.jpg": package["a.jpg"]}, [boxes] if cropped else [], [tmp_path / "lost.tsv"])
    assert photographs["problem"].fillna("").tolist() == ["", "duplicate member name: a.jpg"]
    assert to_classify(photographs) == ["a.jpg"]


def test_photographs_have_their_boxes_or_the_reason_why_not(package, boxes, quarantine):
    table = list_photographs(package, [boxes], quarantine)
    assert table["image_file"].tolist() == ["c.jpg", "b.txt", "a.jpg", "d.jpg", "e.jpg"]
    assert table["problem"].fillna("").tolist() == ["", "not an image", "", "", NEARLY_EQUAL]
    assert table["box_flags"].tolist() == ["", "", "ambiguous; tiny", "tiny", "blank"]
    assert table["no_insect"].tolist() == [False, False, False, True, False]
    assert table["x_max"].fillna(0).tolist() == [3, 0, 0, 0, 0]
    assert to_classify(table) == ["c.jpg", "a.jpg"]


def test_where_nothing_is_cropped_photographs_are_listed_all_the_same(package, quarantine):
    table = list_photographs(package, [], quarantine)
    assert table["image_file"].tolist() == ["a.jpg", "b.txt", "c.jpg"]
    assert table["problem"].notna().tolist() == [False, True, False]
    assert to_classify(table) == ["a.jpg", "c.jpg"]


def test_a_row_has_one_verdict_and_what_it_rests_on(package, boxes, quarantine):
    sure = Sighting(
        Identification(["Apidae"], "family", "Apidae", "family", 0.912345), 0.5, None, ["m", "n"], ["1", "2"]
    )
    strange = Sighting(None, 1.5, "unlike the training images of orders", ["m"], ["1"])
    photographs = list_photographs(package, [boxes], quarantine)
    table = tabulate_verdicts(photographs, {"c.jpg": sure, "a.jpg": strange})
    assert table.columns.tolist() == TABLE_COLUMNS
    assert table["correct"].isna().all()
    rows = table.set_index("image_file")
    assert rows["verdict"].tolist() == ["named", "unusable", "unlike", "no insect", "unusable"]
    named = ["named", "Apidae", "family", "Apidae", 0.9123, 0.5, 0.9, 1, 2, 3, 4]
    assert rows.loc["c.jpg", "verdict":"y_max"].tolist() == named
    assert rows.loc["c.jpg", ["models", "recipe"]].tolist() == ["m; n", "1; 2"]
    assert rows.loc["a.jpg", ["taxon", "prediction_set", "probability"]].isna().all()
    assert rows.loc["a.jpg", ["distance", "reason"]].tolist() == [1.5, "unlike the training images of orders"]
    assert "0.200" in rows.loc["d.jpg", "reason"] and rows.loc["b.txt", "reason"] == "not an image"


@pytest.mark.parametrize(
    ("members", "taxon", "verdict"),
    [
        (["Apidae"], "Apidae", "named"),
        (["Apidae", "Vespidae"], "Hymenoptera", "coarser"),
        (["A", "B"], "insect", "insect"),
    ],
)
def test_the_verdict_is_as_deep_as_the_set_allows(members, taxon, verdict):
    photographs = list_photographs({"a.jpg": b""}, [], [])
    found = Identification(members, "family", taxon, "a rank", None)
    (row,) = tabulate_verdicts(photographs, {"a.jpg": Sighting(found, 0.1)}).to_dict("records")
    assert (row["verdict"], row["taxon"], row["prediction_set"]) == (verdict, taxon, "; ".join(members))


def test_a_photograph_that_the_classifiers_cannot_read_is_unusable():
    photographs = list_photographs({"a.jpg": b""}, [], [])
    (row,) = tabulate_verdicts(photographs, {"a.jpg": Sighting(reason="truncated")}).to_dict("records")
    assert (row["verdict"], row["reason"]) == ("unusable", "truncated")
