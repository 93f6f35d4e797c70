"""The digest changes with what an experiment trains on, and with nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from digest_experiment import digest_experiment

ROWS = {"a.jpg": ("ant", "train"), "b.jpg": ("bee", "test"), "gone.jpg": ("ant", "validation")}
IMAGES = {"a.jpg": b"pixels of a", "b.jpg": b"pixels of b", "other.jpg": b"of another experiment"}


def digest(folder: Path, rows=ROWS, images=IMAGES) -> dict:
    table = {
        "image_file": list(rows),
        "label": [row[0] for row in rows.values()],
        "role": [row[1] for row in rows.values()],
    }
    pq.write_table(pa.table(table), folder / "split.parquet")
    with h5py.File(folder / "package.hdf5", "w") as file:
        for name, data in images.items():
            file.create_dataset(f"bioscan_dataset/{name}", data=np.frombuffer(data, np.uint8))
    counts = digest_experiment(folder / "split.parquet", folder / "package.hdf5", "kinds", folder / "digest.json")
    assert counts == {"in": len(rows), "out": len(set(rows) & set(images))}
    return json.loads((folder / "digest.json").read_text())


def test_it_counts_the_images_and_those_that_the_package_lacks(tmp_path):
    found = digest(tmp_path)
    assert list(found) == ["experiment", "images", "missing", "sha256"]
    assert (found["experiment"], found["images"], found["missing"]) == ("kinds", 3, 1)


def test_neither_order_nor_other_images_change_it(tmp_path):
    images = dict(reversed(IMAGES.items())) | {"new.jpg": b"of a new chunk"}
    assert digest(tmp_path, dict(reversed(ROWS.items())), images) == digest(tmp_path)


@pytest.mark.parametrize(
    ("rows", "images"),
    [
        (ROWS | {"b.jpg": ("ant", "test")}, IMAGES),
        (ROWS | {"b.jpg": ("bee", "train")}, IMAGES),
        (ROWS | {"new.jpg": ("bee", "train")}, IMAGES),
        (ROWS, IMAGES | {"b.jpg": b"other pixels"}),
        (ROWS, IMAGES | {"gone.jpg": b"found again"}),
    ],
    ids=["label", "role", "new row", "pixels", "found image"],
)
def test_what_is_trained_on_changes_it(tmp_path, rows, images):
    assert digest(tmp_path, rows, images)["sha256"] != digest(tmp_path)["sha256"]
