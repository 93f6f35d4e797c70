"""The dataset in numbers, each beside the paper's: labels, imbalance, splits, classes, and what train and test share.

The published figures stand in columns that end in `_published`; they are empty where the paper has none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bioscan1m.metadata.metadata import NO_SPLIT, NOT_CLASSIFIED, RANKS, read_tsv
from bioscan1m.metadata.split_rule import ROLES
from bioscan1m.published import published

IDENTIFIERS = {"bin": "uri", "sampleid": "sampleid"}
UNKNOWN = ("", NOT_CLASSIFIED)
IMBALANCE = ("categories", "largest", "largest_images", "smallest", "smallest_images", "imbalance")
# The groups of published/class_counts.tsv, by the experiment whose classes they are.
PUBLISHED_CLASSES = {"order": "large_insect_order", "diptera_family": "large_diptera_family"}


def read_metadata(path: str | Path, experiments: dict[str, str]) -> pd.DataFrame:
    """The columns of the final metadata that the statistics need; `experiments` maps each to its column of labels."""
    columns = [*IDENTIFIERS.values(), *RANKS, *experiments.values(), *experiments]
    return read_tsv(path, list(dict.fromkeys(columns))).to_pandas(strings_to_categorical=True)


LEAKAGE = ["experiment", "identifier", "in_train_and_test", "test_images", "of_these_shared", "shared_percent"]


def label_table(metadata: pd.DataFrame) -> pd.DataFrame:
    """Table 1: per rank, and for BINs, the number of names and of labelled samples, and their share in percent."""
    rows = []
    for rank, column in {**{rank: rank for rank in RANKS}, "bin": IDENTIFIERS["bin"]}.items():
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


def imbalance_table(metadata: pd.DataFrame, classes: pd.DataFrame) -> pd.DataFrame:
    """Table 2: the largest class, the smallest class and their ratio, for BINs and for each experiment.

    `classes` is the class table. Two printed ratios do not follow from the counts that the paper prints, so the ratio
    of those counts stands there too, in `imbalance_published_counts`.
    """
    groups = {"bin": _known(metadata[IDENTIFIERS["bin"]])}
    groups |= {name: table.set_index("class")["images"] for name, table in classes.groupby("experiment", sort=False)}
    rows = [{"classes": name, **_imbalance(images)} for name, images in groups.items() if len(images)]
    ratios = pd.DataFrame(rows, columns=["classes", *IMBALANCE])
    printed = published("table2_imbalance").set_index("classes")["imbalance"]
    counted = published("class_counts").groupby("group_level")["images"].agg(lambda images: images.max() / images.min())
    ratios["imbalance_published"] = ratios["classes"].map(printed)
    ratios["imbalance_published_counts"] = ratios["classes"].map(counted.rename(PUBLISHED_CLASSES)).round(2)
    return ratios


def split_table(classes: pd.DataFrame, experiments: dict[str, str]) -> pd.DataFrame:
    """Table 3: images by role, and classes, of each experiment; `classes` is the class table."""
    groups = classes.groupby("experiment")
    totals = groups[["images", *ROLES]].sum().rename(columns={"images": "total"})
    totals["classes"] = groups.size()
    totals = totals.reindex(pd.Index(experiments, name="experiment"), fill_value=0).reset_index()
    return _beside_published(totals, published("table3_splits"), "experiment")


def leakage_table(metadata: pd.DataFrame, experiments: dict[str, str]) -> pd.DataFrame:
    """How many BINs and samples have images in both train and test, and how many test images that concerns.

    Specimens of one BIN are near relatives and may look alike, so such a test image is easier than a new BIN's.
    """
    rows = []
    for name in experiments:
        for identifier, column in IDENTIFIERS.items():
            known = ~metadata[column].isin(UNKNOWN)
            train, test = (metadata.loc[known & (metadata[name] == role), column] for role in ("train", "test"))
            leaked = test[test.isin(train.unique())]
            images = (metadata[name] == "test").sum()
            share = round(100 * len(leaked) / max(images, 1), 2)
            rows.append((name, identifier, leaked.nunique(), images, len(leaked), share))
    return pd.DataFrame(rows, columns=LEAKAGE)


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
    return {"categories": len(images), **extremes, "imbalance": round(images.max() / images.min(), 2)}


def _beside_published(table: pd.DataFrame, known: pd.DataFrame, keys: str | list[str]) -> pd.DataFrame:
    """The table with the published figures of its columns behind, matched by the keys."""
    both = table.merge(known, on=keys, how="left", suffixes=("", "_published"))
    counts = [name for name in known.columns if f"{name}_published" in both.columns and table[name].dtype == np.int64]
    return both.astype({f"{name}_published": "Int64" for name in counts})
