"""The published file: 22 columns in their order, no_split where there is no role, the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bioscan1m.metadata.metadata
from bioscan1m.metadata.metadata import PUBLISHED_COLUMNS, PUBLISHED_EXPERIMENTS, SOURCE_COLUMNS, read_tsv, write_tsv
from bioscan1m.metadata.metadata_join import join_metadata

IMAGES = ["c.jpg", "a.jpg", "b.jpg"]


def join(folder: Path, experiments: dict[str, dict[str, str]], **further: list[str]) -> Path:
    """Join a small table with roles given as experiment -> image -> role."""
    table = {name: [f"{name}{row}" for row in range(3)] for name in SOURCE_COLUMNS} | {"image_file": IMAGES} | further
    write_tsv(folder / "source.tsv", pa.table(table))
    pq.write_table(pa.table({"image_file": IMAGES}), folder / "validated.parquet")
    for name, roles in experiments.items():
        split = pa.table(
            {"image_file": list(roles), "role": list(roles.values())},
            pa.schema({"image_file": pa.string(), "role": pa.string()}),
        )
        pq.write_table(split, folder / f"{name}.parquet")
    splits = [folder / f"{name}.parquet" for name in experiments]
    made = folder / "joined.tsv", folder / "joined.parquet"
    join_metadata(folder / "source.tsv", folder / "validated.parquet", splits, [], list(experiments), *made)
    assert pq.read_table(made[1]).equals(read_tsv(made[0]).combine_chunks())
    return made[0]


def test_published_columns_in_order_then_those_of_the_source(tmp_path):
    experiments = {name: {"a.jpg": "train"} for name in reversed(PUBLISHED_EXPERIMENTS)}
    joined = read_tsv(join(tmp_path, experiments, photographer=["x", "y", "z"]))
    assert joined.column_names == [*PUBLISHED_COLUMNS, "photographer"]
    assert joined["image_file"].to_pylist() == IMAGES
    assert joined["photographer"].to_pylist() == ["x", "y", "z"]


def test_roles_stand_at_their_images(tmp_path):
    joined = read_tsv(join(tmp_path, {"bees": {"b.jpg": "test", "c.jpg": "train"}, "ants": {}}))
    assert joined["bees"].to_pylist() == ["train", "no_split", "test"]
    assert joined["ants"].to_pylist() == ["no_split"] * 3
    assert joined.column_names[-3:] == ["bees", "ants", "chunk_number"]


def test_new_roles_replace_those_of_the_source(tmp_path):
    joined = read_tsv(join(tmp_path, {"bees": {"b.jpg": "test"}}, bees=["train", "train", "train"]))
    assert joined["bees"].to_pylist() == ["no_split", "no_split", "test"]


def test_the_same_bytes_each_time(tmp_path):
    whole = join(tmp_path, {"bees": {"b.jpg": "test"}}).read_bytes()
    assert join(tmp_path, {"bees": {"b.jpg": "test"}}).read_bytes() == whole
    assert b"\r" not in whole and whole.endswith(b"\n")


def test_a_table_of_many_batches_keeps_its_rows_in_order(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bioscan1m.metadata.metadata, "BYTES_PER_BATCH", 1000)
    rows = [f"{row}.jpg" for row in range(100)]
    write_tsv(tmp_path / "source.tsv", pa.table(dict.fromkeys(SOURCE_COLUMNS, rows)))
    split = pa.table({"image_file": rows[::2], "role": ["train", "test"] * 25})
    pq.write_table(split, tmp_path / "bees.parquet")
    pq.write_table(pa.table({"image_file": rows}), tmp_path / "validated.parquet")
    made = tmp_path / "joined.tsv", tmp_path / "joined.parquet"
    join_metadata(
        tmp_path / "source.tsv", tmp_path / "validated.parquet", [tmp_path / "bees.parquet"], [], ["bees"], *made
    )
    assert pq.ParquetFile(made[1]).num_row_groups > 1
    assert read_tsv(made[0])["image_file"].to_pylist() == pq.read_table(made[1])["image_file"].to_pylist() == rows
    assert read_tsv(made[0])["bees"].to_pylist() == ["train", "no_split", "test", "no_split"] * 25
