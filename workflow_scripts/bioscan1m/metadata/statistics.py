"""The dataset in numbers, each beside the paper's: labels, imbalance, splits, classes, and what train and test share.

The published figures stand in columns that end in `_published`; they are empty where the paper has none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pandas as pd

from bioscan1m.foundation.published import published
from bioscan1m.metadata.split_rule import ROLES
from bioscan1m.metadata.suspicions import find_suspicions
from bioscan1m.metadata.table import NO_SPLIT, NOT_CLASSIFIED, RANKS, TAXA, read_tsv

IDENTIFIERS = {"bin": "uri", "sampleid": "sampleid"}
UNKNOWN = ("", NOT_CLASSIFIED)
IMBALANCE = ("categories", "largest", "largest_images", "smallest", "smallest_images", "imbalance")
# The groups of published/class_counts.tsv, by the experiment whose classes they are.
PUBLISHED_CLASSES = {"order": "large_insect_order", "diptera_family": "large_diptera_family"}


def read_metadata(path: str | Path, experiments: dict[str, str]) -> pd.DataFrame:
    """The columns of the final metadata that the statistics need; `experiments` maps each to its column of labels."""
    columns = [*IDENTIFIERS.values(), *TAXA, *experiments.values(), *experiments]
    return read_tsv(path, list(dict.fromkeys(columns))).to_pandas(strings_to_categorical=True)


SUSPICIONS = ["column", "name", "images", "resembles", "its_images", "reason"]
LEAKAGE = [
    *("experiment", "identifier", "in_train_and_test", "test_images", "of_these_shared", "shared_percent"),
    "in_several_roles",
]


def label_table(metadata: pd.DataFrame) -> pd.DataFrame:
    """Table 1: per rank, and for BINs, the number of names and of labelled samples, and their share in percent.

    `name` is the finest taxon that is known of a sample, whatever its rank (3.1.1).
    """
    rows = []
    for rank, column in {**{rank: rank for rank in (*RANKS, "name")}, "bin": IDENTIFIERS["bin"]}.items():
        counts = _known(metadata[column])
        samples = counts.sum()
        share = round(100 * samples / len(metadata), 1)
        rows.append({"rank": rank, "categories": len(counts), "labelled_samples": samples, "labelled_percent": share})
    return _beside_published(pd.DataFrame(rows), published("table1_labels"), "rank")


def class_table(metadata: pd.DataFrame, experiments: dict[str, str]) -> pd.DataFrame:
    """Images per class of each experiment, in all and by role, largest class first (figure 2)."""
    none = pd.DataFrame({"experiment": [], "class": []}, dtype=str).assign(**dict.fromkeys(["images", *ROLES], 0))
    counts = [_class_counts(metadata, name, label) for name, label in experiments.items()] or [none]
    known = published("class_counts")
    known = known.assign(experiment=known["group_level"].map(PUBLISHED_CLASSES))
    return _beside_published(pd.concat(counts), known[["experiment", "class", "images"]], ["experiment", "class"])


def largest_experiments(classes: pd.DataFrame, experiments: dict[str, str]) -> list[str]:
    """For each column of labels, the experiment with most images, where one has any; `classes` is the class table."""
    images = classes.groupby("experiment", sort=False)["images"].sum()
    labels = pd.Series({name: label for name, label in experiments.items() if name in images}, dtype=object)
    return [images[members.index].idxmax() for _, members in labels.groupby(labels, sort=False)]


def imbalance_table(metadata: pd.DataFrame, classes: pd.DataFrame) -> pd.DataFrame:
    """Table 2: the largest class, the smallest class and their ratio, for BINs and for each experiment.

    The ratio that the paper prints for an experiment is that of its training images (627,427 / 4 for the orders), so it
    stands beside `training_imbalance`; that for BINs is of all images.

    Args:
        metadata: of `read_metadata`.
        classes: of `class_table`.

    Returns:
        One row for the BINs and one per experiment that has images.
    """
    groups = {"bin": _known(metadata[IDENTIFIERS["bin"]])}
    tables = dict(iter(classes.groupby("experiment", sort=False)))
    groups |= {name: table.set_index("class")["images"] for name, table in tables.items()}
    rows = [{"classes": name, **_imbalance(images)} for name, images in groups.items() if len(images)]
    ratios = pd.DataFrame(rows, columns=["classes", *IMBALANCE])
    training = {name: _ratio(table["train"]) for name, table in tables.items()}
    printed = published("table2_imbalance").set_index("classes")["imbalance"]
    of_bins = ratios["classes"] == "bin"
    ratios["imbalance_published"] = ratios["classes"].map(printed).where(of_bins)
    ratios["training_imbalance"] = ratios["classes"].map(training).astype(float)
    ratios["training_imbalance_published"] = ratios["classes"].map(printed).mask(of_bins)
    return ratios


def split_table(classes: pd.DataFrame, experiments: dict[str, str]) -> pd.DataFrame:
    """Table 3: images by role, and classes, of each experiment; `classes` is the class table."""
    groups = classes.groupby("experiment")
    totals = groups[["images", *ROLES]].sum().rename(columns={"images": "total"})
    totals["classes"] = groups.size()
    totals = totals.reindex(pd.Index(experiments, name="experiment"), fill_value=0).reset_index()
    return _beside_published(totals, published("table3_splits"), "experiment")


def leakage_table(
    metadata: pd.DataFrame, experiments: dict[str, str], duplicates: pd.DataFrame | None = None
) -> pd.DataFrame:
    """How many BINs, samples and groups of copies have images in both train and test, and in any two roles.

    Specimens of one BIN are near relatives and may look alike, so such a test image is easier than a new BIN's.

    Args:
        metadata: of `read_metadata`.
        experiments: the column of labels of each experiment.
        duplicates: the groups of copies of these rows, of `read_duplicates`; None where they were not looked for.
    """
    identifiers = {identifier: metadata[column] for identifier, column in IDENTIFIERS.items()}
    if duplicates is not None:
        identifiers |= dict(duplicates.items())
    rows = [
        (name, identifier, *_shared(values, metadata[name]))
        for name in experiments
        for identifier, values in identifiers.items()
    ]
    return pd.DataFrame(rows, columns=LEAKAGE)


def _shared(values: pd.Series, roles: pd.Series) -> tuple[int, int, int, float, int]:
    """Values in train and test, test images, those of them that have such a value, in percent; values in two roles."""
    has_role = ~values.isin(UNKNOWN) & (roles != NO_SPLIT)
    train, test = (values[has_role & (roles == role)] for role in ("train", "test"))
    shared = test[test.isin(train.unique())]
    images = int((roles == "test").sum())
    pairs = pd.DataFrame({"value": values[has_role].astype(str), "role": roles[has_role].astype(str)})
    in_several = int((pairs.drop_duplicates()["value"].value_counts() > 1).sum())
    return shared.nunique(), images, len(shared), round(100 * len(shared) / max(images, 1), 2), in_several


def suspicion_table(metadata: pd.DataFrame, labels: Iterable[str]) -> pd.DataFrame:
    """The labels in doubt of all ranks and of these columns of labels, one row for each name."""
    rows = [
        (column, *astuple(suspicion))
        for column in dict.fromkeys([*RANKS, *labels])
        for suspicion in find_suspicions(metadata[column].astype("category").value_counts().to_dict())
    ]
    return pd.DataFrame(rows, columns=SUSPICIONS)


def _known(labels: pd.Series) -> pd.Series:
    """Images per name, without those that have none."""
    counts = labels.astype("category").cat.remove_unused_categories().value_counts()
    return counts[~counts.index.isin(UNKNOWN)]


def _class_counts(metadata: pd.DataFrame, experiment: str, label: str) -> pd.DataFrame:
    chosen = metadata.loc[metadata[experiment] != NO_SPLIT, [label, experiment]].astype(str)
    roles = pd.crosstab(chosen[label], chosen[experiment]).reindex(columns=list(ROLES), fill_value=0)
    counts = roles.rename_axis(index="class", columns=None).reset_index()
    counts.insert(0, "experiment", experiment)
    counts.insert(2, "images", roles.sum(axis=1).to_numpy())
    return counts.sort_values(["images", "class"], ascending=[False, True])


def _imbalance(images: pd.Series) -> dict[str, object]:
    largest, smallest = images.idxmax(), images.idxmin()
    extremes = {
        "largest": largest,
        "largest_images": images.max(),
        "smallest": smallest,
        "smallest_images": images.min(),
    }
    return {"categories": len(images), **extremes, "imbalance": _ratio(images)}


def _ratio(images: pd.Series) -> float | None:
    """The largest of these counts over the smallest that is not 0; None where all are."""
    counts = images[images > 0]
    return round(counts.max() / counts.min(), 2) if len(counts) else None


def _beside_published(table: pd.DataFrame, known: pd.DataFrame, keys: str | list[str]) -> pd.DataFrame:
    """The table with the published figures of its columns behind, matched by the keys."""
    both = table.merge(known, on=keys, how="left", suffixes=("", "_published"))
    counts = [name for name in known.columns if f"{name}_published" in both.columns and table[name].dtype == np.int64]
    return both.astype({f"{name}_published": "Int64" for name in counts})
