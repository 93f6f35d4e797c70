"""The classes of one experiment with their images per role, and whether a classifier can be trained on them at all.

This needs no image: it is known as soon as the roles are given, long before there is a package to train on.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioscan1m.errors import InputError
from bioscan1m.metadata.split_rule import ROLES
from bioscan1m.tables import read_parquet

LEAST_CLASSES = 2


def list_classes(split: str | Path, experiment: str, label: str) -> pd.DataFrame:
    """One row per class, sorted: class, train, validation, test (images).

    `label` is the metadata column of the classes. Raises InputError, which names the keys to change, where there are
    fewer than two classes or a role has no image.
    """
    table = read_parquet(split, columns=["label", "role"]).to_pandas()
    counts = pd.crosstab(table["label"], table["role"]).reindex(columns=ROLES, fill_value=0)
    key = f"splits.experiments.{experiment}"
    if len(counts) < LEAST_CLASSES:
        found = f"only the class {counts.index[0]}" if len(counts) else "no class"
        raise InputError(
            f"{key}: {found} of the column {label} has images enough for training, validation and test, and a "
            f"classifier needs {LEAST_CLASSES} classes; change its label, where or largest_classes, give it more "
            f"images, or take it out of classifier.trials"
        )
    if empty := [role for role in ROLES if not counts[role].any()]:
        raise InputError(f"{key}: no images with the role {' or '.join(empty)}; it needs more images or other ratios")
    return counts.rename_axis(index="class", columns=None).reset_index()
