"""The boxes table keeps a row per member, gaps as gaps, and how it was made."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from bioscan1m.boxes.table import (
    BELOW_THRESHOLD,
    CORNERS,
    DETECTED,
    FLAGS,
    UNREADABLE,
    read_boxes,
    read_settings,
    write_boxes,
)

MEASURES = ["second_score", "box_share", "sharpness"]
COLUMNS = ["image_file", "width", "height", *CORNERS, "score", "status", *MEASURES, *FLAGS]


def frame() -> pd.DataFrame:
    """One row of each status."""
    rows = [
        ("a.jpg", 2880, 2160, 10.5, 20.0, 300.25, 400.0, 0.75, DETECTED, 0.125, 0.5, 12.5, True, False, False, False),
        ("readme.txt", None, None, None, None, None, None, None, UNREADABLE, *[None] * 7),
        ("b.jpg", 640, 480, 0.0, 0.0, 5.0, 5.0, 0.25, BELOW_THRESHOLD, 0.0, 0.25, None, False, False, True, False),
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_round_trip(tmp_path):
    write_boxes(tmp_path / "part1.parquet", frame(), {})
    boxes = read_boxes(tmp_path / "part1.parquet")
    assert list(boxes.columns) == COLUMNS
    assert boxes["image_file"].tolist() == ["a.jpg", "readme.txt", "b.jpg"]
    assert boxes["status"].tolist() == ["detected", "unreadable", "below_threshold"]
    assert boxes.loc[0, CORNERS].tolist() == [10.5, 20.0, 300.25, 400.0]
    assert boxes.loc[1, ["width", "height", *CORNERS, "score"]].isna().all()
    assert boxes["score"].dtype == np.float32


def test_types_and_gaps_for_readers_other_than_pandas(tmp_path):
    write_boxes(tmp_path / "part1.parquet", frame(), {})
    table = pq.read_table(tmp_path / "part1.parquet")
    assert [str(kind) for kind in table.schema.types] == [
        "string", *["int32"] * 2, *["float"] * 5, "string", *["float"] * 3, *["bool"] * 4,
    ]  # fmt: skip
    assert [table[name].null_count for name in COLUMNS] == [0, *[1] * 7, 0, 1, 1, 2, *[1] * 4]


def test_a_chunk_without_members_has_a_table_with_all_columns(tmp_path):
    write_boxes(tmp_path / "part1.parquet", frame().iloc[:0], {})
    boxes = read_boxes(tmp_path / "part1.parquet")
    assert (len(boxes), list(boxes.columns)) == (0, COLUMNS)


def test_the_settings_are_inside(tmp_path):
    settings = {"score_threshold": 0.5, "detector": "sha256:ab", "image_size": {"longest_side": 1333}}
    write_boxes(tmp_path / "part1.parquet", frame(), settings)
    assert read_settings(tmp_path / "part1.parquet") == settings


def test_equal_tables_have_equal_bytes(tmp_path):
    write_boxes(tmp_path / "a.parquet", frame(), {"a": 1, "b": 2})
    shuffled = frame()[COLUMNS[::-1]].set_index(pd.Index([7, 8, 9]))
    write_boxes(tmp_path / "b.parquet", shuffled, {"b": 2, "a": 1})
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_frame_without_a_needed_column_is_refused(tmp_path):
    with pytest.raises(KeyError, match="score"):
        write_boxes(tmp_path / "a.parquet", frame().drop(columns="score"), {})
    assert list(tmp_path.iterdir()) == []
