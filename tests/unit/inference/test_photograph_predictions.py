"""Every photograph has a row, with what the classifiers say or with the reason why they say nothing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bioscan1m.boxes.table import CORNERS, SCHEMA, write_boxes
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.quarantine import COLUMNS
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.inference.photograph_predictions import (
    join_predictions,
    list_photographs,
    prediction_columns,
    show_predictions,
)
from bioscan1m.metadata.taxonomy import Rank

FAMILIES = ["Apidae", "Culicidae", "Sciaridae"]
RANKS = [Rank("order", ["Diptera", "Hymenoptera"], np.array([1, 0, 0])), Rank("family", FAMILIES, np.arange(3))]


def predictions(image_files: list[str], chances: list[list[float]]) -> Predictions:
    return Predictions(FAMILIES, image_files, np.zeros(len(chances), int), np.log(chances).astype(np.float32))


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
        {"image_file": "a.jpg", "status": "below_threshold", "score": 0.2},
    ]
    write_boxes(tmp_path / "boxes.parquet", pd.DataFrame(rows, columns=SCHEMA.names), {})
    return tmp_path / "boxes.parquet"


def test_photographs_have_their_boxes_or_the_reason_why_not(package, boxes, quarantine):
    table = list_photographs(package, [boxes], quarantine)
    assert table["image_file"].tolist() == ["c.jpg", "b.txt", "a.jpg"]
    assert table["problem"].fillna("").tolist() == ["", "not an image", ""]
    assert table["x_max"].fillna(0).tolist() == [3, 0, 0]


def test_where_nothing_is_cropped_photographs_are_listed_all_the_same(package, quarantine):
    table = list_photographs(package, [], quarantine)
    assert table["image_file"].tolist() == ["a.jpg", "b.txt", "c.jpg"]
    assert table["problem"].notna().tolist() == [False, True, False]


def test_a_row_has_the_prediction_its_set_and_the_deepest_safe_rank(package, boxes, quarantine):
    calibration = predictions([str(place) for place in range(6)], [[0.9, 0.05, 0.05]] * 6)
    calibration.truth[3:] = [1, 1, 2]
    found = predictions(["c.jpg", "a.jpg"], [[0.92, 0.05, 0.03], [0.1, 0.5, 0.4]])
    columns = prediction_columns("families", found, calibration, RANKS, 0.75)
    table = join_predictions(list_photographs(package, [boxes], quarantine), [columns]).set_index("image_file")
    assert table.loc["c.jpg", "families":].tolist() == [
        "Apidae",
        92.0,
        "Apidae, Culicidae, Sciaridae",
        "family",
        "Apidae",
    ]
    assert table.loc["a.jpg", "families":].tolist() == ["Culicidae", 50.0, "Culicidae, Sciaridae", "order", "Diptera"]
    assert table.loc["b.txt", "families":].isna().all()
    figure = show_predictions(table.reset_index(), package, ["families"])
    assert [axes.get_title() for axes in figure.axes[:2]] == ["c.jpg\nApidae 92 %", "a.jpg\nCulicidae 50 %"]
    assert figure.subfigs[0].get_suptitle() == "2 of 3 photographs, by families"
