"""List the classes of one experiment, and stop where there are too few to train a classifier.

This needs no image: it is known as soon as the roles are given, long before there is a package to train on.
"""

from pathlib import Path

import pyarrow as pa

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.jobs.context import job
from bioscan1m.metadata.split_rule import ROLES

LEAST_CLASSES = 2


def list_classes(split: str | Path, experiment: str, label: str) -> list[dict[str, str | int]]:
    """One row per class, sorted: class, train, validation, test (images).

    `label` is the metadata column of the classes. Raises InputError, which names the keys to change, where there are
    fewer than two classes or a role has no image.
    """
    counts = _count(read_parquet(split, columns=["label", "role"]))
    classes = sorted({label for label, _ in counts})
    key = f"splits.experiments.{experiment}"
    if len(classes) < LEAST_CLASSES:
        found = f"only the class {classes[0]}" if classes else "no class"
        raise InputError(
            f"{key}: {found} of the column {label} has images enough for training, validation and test, and a "
            f"classifier needs {LEAST_CLASSES} classes; change its label, where or largest_classes, give it more "
            f"images, or take it out of classifier.trials"
        )
    if empty := [role for role in ROLES if not any(counts.get((name, role)) for name in classes)]:
        raise InputError(f"{key}: no images with the role {' or '.join(empty)}; it needs more images or other ratios")
    return [{"class": name, **{role: counts.get((name, role), 0) for role in ROLES}} for name in classes]


def _count(table: pa.Table) -> dict[tuple[str, str], int]:
    """Images by label and role; rows that lack one of them do not count."""
    words = pa.table({name: table[name].cast(pa.string()) for name in ("label", "role")}).drop_null()
    counted = words.group_by(["label", "role"]).aggregate([([], "count_all")])
    return {(row["label"], row["role"]): row["count_all"] for row in counted.to_pylist()}


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        given = inputs.split, snakemake.wildcards.experiment, params.label
        classes = list_classes(*given)
        write_rows(outputs.classes, list(classes[0]), (row.values() for row in classes))
