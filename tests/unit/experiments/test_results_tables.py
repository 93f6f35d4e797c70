"""The final tables hold our figures in percent, the paper's, and the difference; nothing is made up for other tasks."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from bioscan1m.experiments.results_tables import (
    headline,
    split_name,
    summarise_backbones,
    summarise_misclassified,
    summarise_tests,
    summarise_validations,
)
from bioscan1m.foundation.tables import write_table

MODEL = {"library": "torchvision", "name": "resnet50", "settings": {}, "parameters": 25_600_000}


def run(experiment: str, backbone: str, seed: int, value: float) -> dict[str, Any]:
    """What a validation.json says, as far as the tables need it."""
    metrics = dict.fromkeys(("micro_top1", "macro_top1", "micro_f1", "macro_f1"), value)
    trial = {"experiment": experiment, "backbone": backbone, "loss": "ce", "seed": seed}
    last = {name: value - 0.1 for name, value in metrics.items()}
    images = {"train": 70, "validation": 10}
    return {**trial, "model": MODEL, "images": images, "metrics": metrics, "last_epoch_metrics": last}


def run_on_test(experiment: str, value: float) -> dict[str, Any]:
    """What a test.json says, as far as the tables need it."""
    names = [f"{kind}_top{k}" for kind in ("micro", "macro") for k in (1, 3, 5, 10)] + ["micro_f1", "macro_f1"]
    return {
        **run(experiment, "vit_b_16", 1, value),
        "classes": ["a", "b"],
        "images": {"validation": 10, "test": 20},
        "skipped": {"validation": [], "test": [{"image_file": "a.jpg", "reason": "not in the package"}]},
        "majority": {"class": "a", "share": 0.6},
        "confusion_matrix": [[12, 1], [3, 4]],
        "metrics": dict.fromkeys(names, value),
    }


def selection(experiment: str, differs_from_paper: str | None = None) -> dict[str, Any]:
    """What a selection.json says, as far as the tables need it."""
    return {"experiment": experiment, "differs_from_paper": differs_from_paper}


def test_validation_has_mean_and_deviation_beside_the_paper():
    runs = [run("small_insect_order", "vit_b_16", 1, 0.97), run("small_insect_order", "vit_b_16", 2, 0.99)]
    table = summarise_validations(
        [*runs, run("small_insect_order", "resnet50", 1, 0.5)], [run_on_test("small_insect_order", 1)]
    )
    row = table.iloc[0]
    assert (row["size"], row["task"], row["seeds"], row["selected"]) == ("small", "insect_order", 2, "yes")
    assert (row["micro_top1_best_mean"], row["micro_top1_best_std"]) == (98.0, 1.0)
    assert (row["micro_top1_last_mean"], row["micro_top1_last_std"]) == (88.0, 1.0)
    assert (row["micro_top1_last_published_mean"], row["micro_top1_last_published_std"]) == (98.34, 0.10)
    assert row["micro_top1_last_difference"] == pytest.approx(-10.34)
    assert row["micro_f1_best_difference"] == pytest.approx(98.0 - row["micro_f1_best_published_mean"])
    assert table["selected"].tolist() == ["yes", "no"]


def test_runs_of_earlier_code_have_no_last_epoch():
    runs = [run("small_insect_order", "vit_b_16", seed, 0.97) for seed in (1, 2)]
    del runs[1]["last_epoch_metrics"]
    row = summarise_validations(runs, [run_on_test("small_insect_order", 1)]).iloc[0]
    assert row["micro_top1_best_mean"] == 97.0 and row["micro_f1_best_published_mean"] > 0
    assert pd.isna(row["micro_top1_last_mean"]) and "micro_top1_last_difference" not in row


def test_the_test_table_has_every_k_and_what_the_paper_has():
    row = summarise_tests([run_on_test("large_diptera_family", 0.9759)], [selection("large_diptera_family")]).iloc[0]
    assert (row["micro_top1"], row["micro_top1_published"], row["micro_top1_difference"]) == (97.59, 97.59, 0.0)
    assert row["macro_top10"] == 97.59
    assert "macro_top10_published" not in row
    assert (row["majority_class"], row["majority_share"], row["images"]) == ("a", 60.0, 20)
    assert row["images_left_out"] == 1
    assert row["fewest_images_of_a_class"] == 7
    assert row["model"] == "resnet50, 25.60 M parameters"


def mistakes(experiment: str, matrix: list[list[int]]) -> dict[str, Any]:
    """A test.json with this confusion matrix."""
    return {**run(experiment, "vit_b_16", 1, 0.9), "classes": ["Aphids", "Diptera"], "confusion_matrix": matrix}


def test_the_mistakes_for_the_dominant_class_are_a_share_of_all_mistakes_beside_the_papers(tmp_path):
    tests = [mistakes("small_insect_order", [[9, 1], [3, 3]]), mistakes("moths", [[5, 0], [0, 4]])]
    dominant = {"small_insect_order": "Diptera", "moths": "Aphids"}  # not by the test images: the dataset decides
    write_table(tmp_path / "misclassified.tsv", summarise_misclassified(tests, dominant))
    orders, moths = pd.read_csv(tmp_path / "misclassified.tsv", sep="\t").to_dict("records")
    assert (orders["images"], orders["misclassified"], orders["misclassified_share"]) == (16, 4, 25.0)
    assert (orders["dominant_class"], orders["taken_for_dominant"], orders["taken_for_dominant_share"]) == (
        "Diptera", 1, 25.0,
    )  # fmt: skip
    published = [orders[f"taken_for_dominant_share_{part}"] for part in ("published", "difference")]
    assert published == [16.2, pytest.approx(8.8)]
    assert (moths["dominant_class"], moths["misclassified"], moths["taken_for_dominant"]) == ("Aphids", 0, 0)
    assert pd.isna(moths["taken_for_dominant_share"]) and pd.isna(moths["taken_for_dominant_share_published"])


def test_networks_are_counted_with_the_classes_of_their_pretraining_beside_the_paper():
    model = {"library": "torchvision", "name": "resnet50", "parameters": 23_540_816, "head_parameters": 2049 * 16}
    runs = [
        run("small_insect_order", name, 1, 0.9) | {"classes": ["a"] * 16, "model": model}
        for name in ("resnet50", "resnet50", "convnext")
    ]
    table = summarise_backbones(runs).set_index("backbone")
    assert table["million_parameters"].to_dict() == {"resnet50": 25.56, "convnext": 25.56}
    assert table.loc["resnet50", "million_parameters_published"] == 25.6
    assert pd.isna(table.loc["convnext", "million_parameters_published"])
    for other in (0.02e6, 11.69e6, 25.03e6, 44.5e6):  # of a toy, ResNet-18, ResNeXt-50 and ResNet-101
        model = {"library": "torchvision", "name": "other", "parameters": other, "head_parameters": 0}
        toy = run("small_insect_order", "resnet50", 1, 0.9) | {"classes": ["a"] * 16, "model": model}
        assert "million_parameters_published" not in summarise_backbones([toy])
    earlier = [run("small_insect_order", "resnet50", 1, 0.9) | {"classes": ["a"]}]  # its head was not counted
    assert summarise_backbones(earlier)["million_parameters"].isna().all()


def test_another_choice_than_the_papers_is_told(tmp_path):
    chosen = selection("small_insect_order", "the paper tested vit_b_16 with ce; it is 10.00 points behind")
    write_table(tmp_path / "test.tsv", summarise_tests([run_on_test("small_insect_order", 0.9)], [chosen]))
    assert pd.read_csv(tmp_path / "test.tsv", sep="\t")["differs_from_paper"].tolist() == [chosen["differs_from_paper"]]


def test_an_experiment_of_ones_own_has_no_published_figures():
    tests = [run_on_test("moths_by_genus", 0.9), run_on_test("small_insect_order", 0.9)]
    table = summarise_tests(tests, [selection(test["experiment"]) for test in tests])
    assert table["micro_top1_published"].isna().tolist() == [True, False]
    assert table["task"].tolist() == ["moths_by_genus", "insect_order"]


def test_a_run_without_experiments_of_the_paper_does_not_speak_of_it():
    own = summarise_tests([run_on_test("moths_by_genus", 0.9)], [selection("moths_by_genus")])
    validation = summarise_validations([run("moths_by_genus", "resnet50", 1, 0.9)], [])
    for table in (own, validation):
        assert not [name for name in table if "published" in name or "difference" in name or "paper" in name]
        assert table.notna().all(axis=None)
    assert "paper" not in headline(own) and "None" not in headline(own)


@pytest.mark.parametrize(
    ("experiment", "parts"),
    [
        ("medium_diptera_family", ("medium", "diptera_family")),
        ("moths", ("", "moths")),
        ("largest_x", ("", "largest_x")),
    ],
)
def test_names_are_split_into_size_and_task(experiment, parts):
    assert split_name(experiment) == parts


def test_the_headline_is_readable_and_the_files_are_plain_tsv(tmp_path):
    table = summarise_tests([run_on_test("small_insect_order", 0.9)], [selection("small_insect_order")])
    text = headline(table)
    assert "small_insect_order" in text
    assert "97.86" in text
    assert max(map(len, text.splitlines())) < 200
    write_table(tmp_path / "test.tsv", table)
    assert pd.read_csv(tmp_path / "test.tsv", sep="\t")["micro_top1"].tolist() == [90.0]


def test_a_run_without_experiments_has_tables_with_a_header(tmp_path):
    tested = summarise_tests([], [])
    tables = {"test": tested, "validation": summarise_validations([], []), "wrong": summarise_misclassified([], {})}
    tables["backbones"] = summarise_backbones([])
    for name, table in tables.items():
        write_table(tmp_path / f"{name}.tsv", table)
        assert pd.read_csv(tmp_path / f"{name}.tsv", sep="\t").empty
    assert "no experiments" in headline(tested)
