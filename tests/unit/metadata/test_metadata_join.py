"""The published file: 22 columns in their order, no_split where there is no role, the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bioscan1m.metadata.table
from bioscan1m.foundation.errors import InputError
from bioscan1m.metadata.table import (
    NO_SPLIT,
    PUBLISHED_COLUMNS,
    PUBLISHED_EXPERIMENTS,
    SOURCE_COLUMNS,
    read_tsv,
    write_metadata_parquet,
    write_tsv,
)
from join_metadata import join_metadata

IMAGES = ["c.jpg", "a.jpg", "b.jpg"]


def join(folder: Path, experiments: dict[str, dict[str, str]], **further: list[str]) -> Path:
    """Join a small table with roles given as experiment -> image -> role."""
    table = {name: [f"{name}{row}" for row in range(3)] for name in SOURCE_COLUMNS} | {"image_file": IMAGES} | further
    write_tsv(folder / "source.tsv", pa.table(table))
    roles = {name: [of_images.get(image, NO_SPLIT) for image in IMAGES] for name, of_images in experiments.items()}
    return join_tables(folder, {"image_file": IMAGES, **roles})


def join_tables(folder: Path, roles: dict[str, list[str]]) -> Path:
    """Join the source in a folder with a table of roles, as dictionaries of few words."""
    words = {name: pa.array(values).dictionary_encode() for name, values in roles.items() if name != "image_file"}
    pq.write_table(pa.table({"image_file": roles["image_file"], **words}), folder / "roles.parquet")
    join_metadata(folder / "source.tsv", folder / "roles.parquet", [], folder / "joined.tsv", threads=2)
    return folder / "joined.tsv"


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


def test_a_table_of_many_pieces_keeps_its_rows_in_order(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bioscan1m.metadata.table, "BYTES_PER_PIECE", 1000)
    rows = [f"{row}.jpg" for row in range(100)]
    write_tsv(tmp_path / "source.tsv", pa.table(dict.fromkeys(SOURCE_COLUMNS, rows)))
    joined = join_tables(tmp_path, {"image_file": rows, "bees": ["train", "no_split", "test", "no_split"] * 25})
    assert read_tsv(joined)["image_file"].to_pylist() == rows
    assert read_tsv(joined)["bees"].to_pylist() == ["train", "no_split", "test", "no_split"] * 25


def test_roles_of_other_images_are_refused(tmp_path):
    join(tmp_path, {"bees": {}})
    with pytest.raises(InputError, match=r"roles.parquet and .*source.tsv differ in their images"):
        join_tables(tmp_path, {"image_file": [*IMAGES[1:], "d.jpg"], "bees": ["train"] * 3})


def test_the_parquet_file_says_the_same(tmp_path):
    joined = join(tmp_path, {"bees": {"b.jpg": "test"}}, photographer=["x", '"y"', ""])
    assert write_metadata_parquet(tmp_path / "joined.parquet", joined) == {"in": 3, "out": 3}
    assert pq.read_table(tmp_path / "joined.parquet").equals(read_tsv(joined).combine_chunks())
