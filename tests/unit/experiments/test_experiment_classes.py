"""An experiment that cannot be trained is found from its roles alone, with the key to change."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bioscan1m.errors import InputError
from bioscan1m.experiments.experiment_classes import list_classes


def write_split(folder: Path, *rows: tuple[str, str]) -> Path:
    """A table of roles with these pairs of a label and a role."""
    columns = {
        name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(("label", "role"))
    }
    pq.write_table(pa.table(columns), folder / "split.parquet")
    return folder / "split.parquet"


def test_classes_are_counted_by_role(tmp_path):
    roles = ("train", "train", "validation", "test")
    split = write_split(tmp_path, *[("wasp", role) for role in roles], *[("ant", role) for role in roles[1:]])
    table = list_classes(split, "kinds", "kind")
    assert table.to_dict("list") == {
        "class": ["ant", "wasp"],
        "train": [1, 2],
        "validation": [1, 1],
        "test": [1, 1],
    }


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "splits.experiments.kinds: no class of the column kind has images enough"),
        ([("ant", "train"), ("ant", "test")], "splits.experiments.kinds: only the class ant of the column kind"),
        ([("ant", "train"), ("bee", "test")], "splits.experiments.kinds: no images with the role validation"),
    ],
)
def test_what_cannot_be_trained_is_an_error_that_names_the_key(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        list_classes(write_split(tmp_path, *rows), "kinds", "kind")
