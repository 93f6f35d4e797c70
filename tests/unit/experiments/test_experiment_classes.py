"""An experiment that cannot be trained is found from its roles alone, with the key to change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bioscan1m.foundation.errors import InputError
from bioscan1m.metadata.split_rule import ROLES
from list_classes import list_classes


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
    assert list_classes(split, "kinds", "kind") == [
        {"class": "ant", "train": 1, "validation": 1, "test": 1},
        {"class": "wasp", "train": 2, "validation": 1, "test": 1},
    ]


def test_classes_are_counted_as_pandas_does(tmp_path):
    random = np.random.default_rng(4)
    labels = random.choice(["Ωmega", "ant", "Bee", "bee", "a\tb", "", "only in no role"], 500)
    roles = random.choice([*ROLES, "another"], 500)
    roles[labels == "only in no role"] = "another"
    table = pd.DataFrame({"label": labels, "role": roles}, dtype=object)
    table.loc[::50, "label"], table.loc[7::50, "role"] = None, None
    pq.write_table(pa.Table.from_pandas(table.astype({"role": "category"})), tmp_path / "split.parquet")
    counts = pd.crosstab(table["label"], table["role"]).reindex(columns=ROLES, fill_value=0)
    expected = counts.rename_axis(index="class", columns=None).reset_index()
    assert list_classes(tmp_path / "split.parquet", "kinds", "kind") == expected.to_dict("records")


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
