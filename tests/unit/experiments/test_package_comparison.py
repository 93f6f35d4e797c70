"""Photographs against crops: the table stands beside table A6 in percent, the figure has a curve per package."""

from __future__ import annotations

from typing import Any

import pandas as pd

from compare_packages import draw_comparison, tabulate_comparison

PACKAGES = ("original_256", "cropped_256")


def result_of(experiment: str, micro_top1: float, backbone: str = "resnet50") -> dict[str, Any]:
    """What a test.json says, as far as the table needs it."""
    return {
        "experiment": experiment,
        "backbone": backbone,
        "loss": "ce",
        "seed": 1,
        "model": {"name": backbone, "parameters": 25_600_000},
        "classes": ["a", "b"],
        "images": {"test": 20},
        "skipped": {"test": []},
        "majority": {"class": "a", "share": 0.6},
        "confusion_matrix": [[12, 1], [3, 4]],
        "metrics": {"micro_top1": micro_top1, "micro_top5": 1.0, "macro_f1": 0.5},
    }


def validated(experiment: str, micro_top1: float, backbone: str = "resnet50") -> dict[str, Any]:
    """A validation.json, as far as the table needs it: at the last epoch worse than at the best."""
    measured = {"micro_top1": micro_top1, "micro_top5": 1.0}
    best = dict.fromkeys(measured, 1.0)
    trial = {"experiment": experiment, "backbone": backbone, "loss": "ce"}
    return {**trial, "metrics": best, "last_epoch_metrics": measured}


def test_the_validation_of_the_last_epoch_is_beside_table_a6_in_percent():
    tests = [result_of("small_insect_order", 0.95), result_of("small_insect_order", 0.98)]
    validations = [validated("small_insect_order", 0.9626), validated("small_insect_order", 0.97)]
    table = tabulate_comparison(tests, validations, PACKAGES).set_index("image_type")
    assert table["test_micro_top1"].to_dict() == {"original": 95.0, "cropped": 98.0}
    assert table["validation_micro_top1"].to_dict() == {"original": 96.26, "cropped": 97.0}
    assert table["validation_micro_top1_published"].to_dict() == {"original": 96.26, "cropped": 97.86}
    assert table["validation_micro_top1_difference"].to_dict() == {"original": 0.0, "cropped": -0.86}
    assert table["validation_micro_top5_published"].to_dict() == {"original": 99.7, "cropped": 99.76}
    assert not [name for name in table if name.startswith("test_") and "published" in name]


def test_results_of_earlier_code_have_no_last_epoch():
    validation = validated("small_insect_order", 0.9)
    del validation["last_epoch_metrics"]
    table = tabulate_comparison([result_of("small_insect_order", 0.95)], [validation], ["cropped_256"])
    assert table["test_micro_top1"].tolist() == [95.0]
    assert not [name for name in table if "published" in name]


def test_other_experiments_and_networks_have_no_published_figures():
    others = (("moths", 0.9), ("large_insect_order", 0.9), ("small_insect_order", 0.9, "vit_b_16"))
    for other in others:
        table = tabulate_comparison([result_of(*other)], [validated(*other)], ["cropped_256"])
        assert not [name for name in table if "published" in name or "difference" in name]


def test_the_figure_has_a_curve_per_package_and_a_row_per_experiment():
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1.0], "micro_top1": [0.5, 0.7]})
    runs = [{"experiment": experiment, "best_epoch": 2} for experiment in ("order", "order", "family", "family")]
    figure = draw_comparison([history] * 4, runs, PACKAGES * 2)
    assert [axes.get_title() for axes in figure.axes] == [
        f"{experiment}: {curve}"
        for experiment in ("order", "family")
        for curve in ("training loss", "validation micro top-1")
    ]
    assert all(len(axes.lines) == 4 for axes in figure.axes)  # a curve and a dot per package
    assert [text.get_text() for text in figure.legends[0].texts] == ["original", "cropped"]
