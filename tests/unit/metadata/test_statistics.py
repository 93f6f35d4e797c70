"""The numbers of the dataset are counted right and stand beside the paper's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bioscan1m.foundation.figures import MOST_CLASSES, save_figure
from bioscan1m.foundation.published import published
from bioscan1m.metadata.split_rule import ROLES, split_counts
from bioscan1m.metadata.statistics import (
    class_table,
    imbalance_table,
    label_table,
    leakage_table,
    read_metadata,
    split_table,
    suspicion_table,
)
from bioscan1m.metadata.table import NO_SPLIT, NOT_CLASSIFIED, RANKS, TAXA
from summarise_dataset import draw_class_distribution

EXPERIMENTS = {"large_diptera_family": "family", "large_insect_order": "order", "own": "genus"}


@pytest.fixture
def metadata(tmp_path) -> pd.DataFrame:
    """Ten specimens: six Phoridae, one unknown fly, three ants; the last two rows have no genus and no BIN."""
    table = {rank: [NOT_CLASSIFIED] * 10 for rank in TAXA} | {
        "name": ["Megaselia", "Phora"] * 3 + ["Diptera"] + ["Formica", "Lasius", "Formicidae"],
        "phylum": ["Arthropoda"] * 10,
        "order": ["Diptera"] * 7 + ["Hymenoptera"] * 3,
        "family": ["Phoridae"] * 6 + [NOT_CLASSIFIED] + ["Formicidae"] * 3,
        "genus": ["Megaselia", "Phora"] * 4 + [NOT_CLASSIFIED] * 2,
        "uri": ["B1", "B1", "B1", "B2", "B3", "B1", "B4", "B5", "", NOT_CLASSIFIED],
        "sampleid": ["S1", "S2", "S3", "S4", "S5", "S5", "S7", "S8", "", ""],
        "large_diptera_family": ["train"] * 3 + ["validation", "test", "test"] + [NO_SPLIT] * 4,
        "large_insect_order": ["train"] * 3 + ["validation", "test", "test", "train", "train", "validation", "test"],
        "own": [NO_SPLIT] * 10,
    }
    pd.DataFrame(table).to_csv(tmp_path / "metadata.tsv", sep="\t", index=False)
    return read_metadata(tmp_path / "metadata.tsv", EXPERIMENTS)


def test_labels_per_rank(metadata):
    table = label_table(metadata).set_index("rank")
    assert table.index.tolist() == [*RANKS, "name", "bin"]
    assert table.loc["genus", ["categories", "labelled_samples", "labelled_percent"]].tolist() == [2, 8, 80.0]
    assert table.loc["family", "categories"] == 2 and table.loc["class", "labelled_samples"] == 0
    assert table.loc["bin", ["categories", "labelled_samples"]].tolist() == [5, 8]
    assert table.loc["name", ["categories", "labelled_samples", "categories_published"]].tolist() == [6, 10, 10952]
    assert table.loc["species", "categories_published"] == 8355
    assert pd.isna(table.loc["subspecies", "categories_published"])


def test_images_per_class_and_role(metadata):
    table = class_table(metadata, EXPERIMENTS)
    rows = table[["experiment", "class", "images", "train", "validation", "test"]].to_numpy().tolist()
    assert rows == [
        ["large_diptera_family", "Phoridae", 6, 3, 1, 2],
        ["large_insect_order", "Diptera", 7, 4, 1, 2],
        ["large_insect_order", "Hymenoptera", 3, 1, 1, 1],
    ]
    assert table["images_published"].tolist() == [135991, 896324, 89311]


def test_splits_beside_table_3(metadata):
    table = split_table(class_table(metadata, EXPERIMENTS), EXPERIMENTS).set_index("experiment")
    assert table.index.tolist() == list(EXPERIMENTS)
    columns = ["total", "train", "validation", "test", "classes"]
    assert table.loc["large_insect_order", columns].tolist() == [10, 5, 2, 3, 2]
    assert table.loc["own", columns].tolist() == [0] * 5
    known = published("table3_splits").set_index("experiment").loc["large_insect_order", columns]
    assert table.loc["large_insect_order", [f"{column}_published" for column in columns]].tolist() == known.tolist()


def test_imbalance_beside_table_2(metadata):
    table = imbalance_table(metadata, class_table(metadata, EXPERIMENTS)).set_index("classes")
    assert table.index.tolist() == ["bin", "large_diptera_family", "large_insect_order"]
    orders = table.loc["large_insect_order"]
    assert orders[["largest", "largest_images", "smallest", "smallest_images"]].tolist() == [
        "Diptera", 7, "Hymenoptera", 3,
    ]  # fmt: skip
    assert orders["imbalance"] == pytest.approx(7 / 3, abs=0.01)
    assert orders["training_imbalance"] == pytest.approx(4 / 1, abs=0.01)
    assert orders["training_imbalance_published"] == 156856.75 and np.isnan(orders["imbalance_published"])
    assert np.isnan(table.loc["bin", "training_imbalance"])
    assert table.loc["bin", "imbalance_published"] == 12491
    assert table.loc["bin", ["categories", "imbalance"]].tolist() == [5, 4.0]


def test_bins_and_samples_in_train_and_test(metadata):
    table = leakage_table(metadata, EXPERIMENTS).set_index(["experiment", "identifier"])
    shared = table[["in_train_and_test", "test_images", "of_these_shared", "shared_percent"]]
    assert shared.loc[("large_diptera_family", "bin")].tolist() == [1, 2, 1, 50.0]
    assert shared.loc[("large_diptera_family", "sampleid")].tolist() == [0, 2, 0, 0.0]
    assert shared.loc[("large_insect_order", "bin")].tolist() == [1, 3, 1, 33.33]  # unknown BINs are not shared
    assert shared.loc[("own", "bin")].tolist() == [0, 0, 0, 0.0]


def test_copies_in_train_and_test_and_in_any_two_roles(metadata):
    first = metadata.assign(row=metadata.index.astype(str))["row"]
    alike = first.where(first.isin(["2", "3", "4", "7"]), "").replace({"3": "2", "4": "2"})
    copies = pd.DataFrame({"equal_bytes": "", "near_duplicate": alike})
    table = leakage_table(metadata, EXPERIMENTS, copies).set_index(["experiment", "identifier"])
    assert table.loc[("large_insect_order", "near_duplicate")].tolist() == [1, 3, 1, 33.33, 1]
    assert table.loc[("large_insect_order", "equal_bytes")].tolist() == [0, 3, 0, 0.0, 0]
    assert table["in_several_roles"].xs("bin", level=1).tolist() == [1, 1, 0]


def test_the_figure_has_a_panel_per_label_and_the_same_bytes_again(metadata, tmp_path):
    for name in ("first.png", "second.png"):
        figure = draw_class_distribution(class_table(metadata, EXPERIMENTS), EXPERIMENTS)
        assert [axes.get_title(loc="left") for axes in figure.axes] == [
            "large_diptera_family: 6 images, 1 classes",
            "large_insect_order: 10 images, 2 classes",
        ]
        save_figure(figure, tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_experiments_without_images_and_metadata_without_bins(metadata):
    own = {"own": "genus"}
    classes = class_table(metadata, own)
    assert len(imbalance_table(metadata.assign(uri=""), classes)) == 0
    assert split_table(classes, own)["total"].tolist() == [0]
    assert leakage_table(metadata, own)["of_these_shared"].tolist() == [0, 0]
    assert draw_class_distribution(classes, own).get_suptitle() == "No experiment has images"


def test_of_many_classes_the_largest_are_drawn():
    images = range(3 * MOST_CLASSES, 0, -1)
    classes = pd.DataFrame({"class": [f"c{n}" for n in images], "images": images}).assign(experiment="by_species")
    (axes, *_) = draw_class_distribution(classes.assign(train=1, validation=1, test=1), {"by_species": "species"}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"c{n}" for n in images[:MOST_CLASSES]]
    assert "180,300 images, 600 classes, of which the 200 largest" in axes.get_title(loc="left")


def test_no_experiments_at_all(metadata):
    classes = class_table(metadata, {})
    assert classes.empty and split_table(classes, {}).empty and leakage_table(metadata, {}).empty
    assert list(imbalance_table(metadata, classes)["classes"]) == ["bin"]
    assert draw_class_distribution(classes, {}).get_suptitle() == "No experiment has images"


def test_the_published_class_counts_give_both_ratios_of_table_2_to_the_cent(metadata):
    counts = published("class_counts")
    counts["experiment"] = counts["group_level"].map(
        {"order": "large_insect_order", "diptera_family": "large_diptera_family"}
    )
    ratios = {"train": 0.7, "validation": 0.1, "test": 0.2}
    parts = [split_counts(images, ratios) for images in counts["images"]]
    classes = counts.assign(**{role: [part[place] for part in parts] for place, role in enumerate(ROLES)})
    table = imbalance_table(metadata, classes).set_index("classes")
    for name, ratio in {"large_insect_order": 156_856.75, "large_diptera_family": 1_092.61}.items():
        assert table.loc[name, ["training_imbalance", "training_imbalance_published"]].tolist() == [ratio, ratio]


def test_labels_in_doubt_of_ranks_and_labels_are_one_table(metadata):
    caste = pd.Series(["worker", "Worker", "worker"] + [""] * 7, dtype="category")
    order = metadata["order"].astype(str).replace({"Hymenoptera": "NA"}).astype("category")
    table = suspicion_table(metadata.assign(order=order, caste=caste), ["order", "caste"])
    assert table.columns.tolist() == ["column", "name", "images", "resembles", "its_images", "reason"]
    assert table.values.tolist() == [
        ["order", "NA", 3, NOT_CLASSIFIED, 0, "may stand for no label"],
        ["caste", "Worker", 1, "worker", 2, "upper and lower case"],
    ]


def test_no_labels_in_doubt_are_an_empty_table(metadata):
    assert suspicion_table(metadata, EXPERIMENTS.values()).empty
