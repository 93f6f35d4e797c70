"""Every published figure has a row of facts that says what was measured, and ours beside it is measured on the same.

The columns are found in what the code writes: each function that a script of a rule calls, and that reaches the
published figures, builds its table here. The facts are `measured_on.tsv` beside the figures.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioscan1m.boxes.table import FLAGS
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.results_tables import (
    summarise_backbones,
    summarise_misclassified,
    summarise_released,
    summarise_tests,
    summarise_validations,
)
from bioscan1m.foundation.published import FOLDER, published
from bioscan1m.metadata.statistics import class_table, imbalance_table, label_table, split_table
from bioscan1m.metadata.table import NO_SPLIT, TAXA
from compare_packages import tabulate_comparison
from list_unusable_images import findings_by_image, tabulate_low_quality
from tabulate_detector import tabulate_metrics

SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"
FACTS = published("measured_on")
# Reach published figures and write no column of them: text, and the choice of a trial.
NO_COLUMNS = {"headline", "select_trial"}
READERS = {"published", "published_rows"}
KEYS = {"rank", "classes", "experiment", "group_level", "class", "training_set", "val_set", "image_type", "task"} | {
    *("dataset", "backbone", "loss", "metric"),
}

# A toy dataset in which no two ways to count give the same: seven flies and four wasps, of which some have a role.
METADATA = pd.DataFrame(
    dict.fromkeys(TAXA, ["Insecta"] * 11)
    | {
        "order": ["Diptera"] * 7 + ["Hymenoptera"] * 4,
        "family": ["Phoridae", "Sciaridae"] * 3 + ["not_classified"] * 5,
        "uri": ["B1"] * 5 + ["B2"] * 2 + ["B3"] * 3 + [""],
        "sampleid": [str(place) for place in range(11)],
        "large_insect_order": ["train"] * 5 + ["validation", "test", "train", "validation", "test", "test"],
        "large_diptera_family": ["train", "train", "train", "validation", "test", "test"] + [NO_SPLIT] * 5,
    }
)
LABELS = {"large_insect_order": "order", "large_diptera_family": "family"}
# Percent by images and epoch; no two are equal.
MEASURED = {("validation", "best"): 31.0, ("validation", "last"): 22.0, ("test", "best"): 13.0}
METRICS = [f"{kind}_top{k}" for kind in ("micro", "macro") for k in (1, 3, 5, 10)] + ["micro_f1", "macro_f1"]
# Of 16 test images of each experiment: 4 mistakes, 1 of them taken for Diptera, 3 on images with a finding.
CONFUSIONS = {"classes": ["Diptera", "Hymenoptera"], "confusion_matrix": [[7, 3], [1, 5]]}
RESNET = {"library": "torchvision", "name": "resnet50", "parameters": 23_540_816, "head_parameters": 32_784}


def result(experiment: str, metrics: float) -> dict[str, Any]:
    """A validation.json or a test.json, with all metrics alike."""
    return {
        "experiment": experiment,
        "backbone": "resnet50",
        "loss": "ce",
        "seed": 1,
        "model": RESNET,
        "classes": [str(place) for place in range(16)],
        "images": {"train": 70, "validation": 10, "test": 20},
        "skipped": {"test": []},
        "majority": {"class": "a", "share": 0.6},
        "confusion_matrix": [[14, 0], [3, 3]],
        "metrics": dict.fromkeys(METRICS, metrics / 100),
    }


def validation(experiment: str) -> dict[str, Any]:
    last = dict.fromkeys(METRICS, MEASURED["validation", "last"] / 100)
    return result(experiment, MEASURED["validation", "best"]) | {"last_epoch_metrics": last}


def of_test(experiment: str) -> dict[str, Any]:
    return result(experiment, MEASURED["test", "best"])


def toy_mistakes() -> pd.DataFrame:
    """Sixteen test images, of which the first four are taken for another class and three of these are cut off."""
    names = [f"{place}.jpg" for place in range(16)]
    logits = np.where(np.arange(16)[:, None] < 4, [[0.0, 1.0]], [[1.0, 0.0]])
    test = Predictions(["a", "b"], names, np.zeros(16, np.int64), logits)
    boxes = pd.DataFrame({"image_file": names, "status": "detected", "sharpness": 100.0} | dict.fromkeys(FLAGS, False))
    boxes.loc[[0, 1, 2, 9, 10], "touches_border"] = True
    return tabulate_low_quality(findings_by_image(boxes), {"small_insect_order": test})


def toy_detector(folder: Path) -> pd.DataFrame:
    measured = pd.DataFrame([{"training_set": "IP-100", "val_set": "IW-150-val", "ap_75": 0.1, "ar_50_95": 0.12}])
    measured = measured.assign(
        ap_75_without_empty_wells=0.11,
        empty_wells=3,
        mean_iou=0.1,
        fixed_box_ap_75=0.2,
        fixed_box_ar_50_95=0.3,
        fixed_box_mean_iou=0.4,
    )
    measured.to_csv(folder / "a.tsv", sep="\t", index=False)
    tabulate_metrics([folder / "a.tsv"], folder / "metrics.tsv", folder / "beside.tsv")
    return pd.read_csv(folder / "beside.tsv", sep="\t")


CLASSES = class_table(METADATA, LABELS)
SMALL = "small_insect_order"
# Table -> the function that a script calls for it, and a call of it.
TABLES: dict[str, tuple[Callable, Callable[[Path], pd.DataFrame]]] = {
    "results/statistics/labels.tsv": (label_table, lambda _: label_table(METADATA)),
    "results/statistics/class_distribution.tsv": (class_table, lambda _: CLASSES),
    "results/statistics/imbalance.tsv": (imbalance_table, lambda _: imbalance_table(METADATA, CLASSES)),
    "results/statistics/splits.tsv": (split_table, lambda _: split_table(CLASSES, LABELS)),
    "results/detector/metrics_published.tsv": (tabulate_metrics, toy_detector),
    "results/summary/validation.tsv": (summarise_validations, lambda _: summarise_validations([validation(SMALL)], [])),
    "results/summary/test.tsv": (
        summarise_tests,
        lambda _: summarise_tests([of_test(SMALL)], [{"experiment": SMALL, "differs_from_paper": None}]),
    ),
    "results/summary/released.tsv": (summarise_released, lambda _: summarise_released([of_test(SMALL)], ["a"])),
    "results/summary/misclassified.tsv": (
        summarise_misclassified,
        lambda _: summarise_misclassified([of_test(SMALL) | CONFUSIONS], {SMALL: "Diptera"}),
    ),
    "results/cleaning/low_quality_mistakes.tsv": (tabulate_low_quality, lambda _: toy_mistakes()),
    "results/summary/original_vs_cropped.tsv": (
        tabulate_comparison,
        lambda _: tabulate_comparison([of_test(SMALL)], [validation(SMALL)], ["cropped_256"]),
    ),
    "results/summary/backbones.tsv": (summarise_backbones, lambda _: summarise_backbones([validation(SMALL)])),
}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    return {name: make(tmp_path_factory.mktemp("tables")) for name, (_, make) in TABLES.items()}


def test_every_function_that_puts_a_published_figure_into_a_table_is_called_here() -> None:
    called = {name for path in SCRIPTS.glob("*.py") for name in _called_by_rule(path) if _reaches_the_paper(name)}
    assert called - NO_COLUMNS == {function.__name__ for function, _ in TABLES.values()}


def test_every_published_column_has_a_row_and_every_row_its_column(tables: dict[str, pd.DataFrame]) -> None:
    written = {(name, column) for name, table in tables.items() for column in table if "_published" in column}
    assert written == set(zip(FACTS["table"], FACTS["column"], strict=True))
    assert FACTS.notna().all(axis=None)


def test_every_published_figure_is_shown_somewhere() -> None:
    files = [path for path in FOLDER.glob("*.tsv") if path.stem != "measured_on"]
    figures = {(path.stem, column) for path in files for column in published(path.stem) if column not in KEYS}
    figures |= {("table3_splits", "classes")}  # there the number of classes, elsewhere their names
    assert figures == set(zip(FACTS["file"], FACTS["figure"], strict=True))


@pytest.mark.parametrize(
    "fact", FACTS.to_dict("records"), ids=lambda fact: f"{Path(fact['table']).stem}-{fact['column']}"
)
def test_ours_beside_it_is_measured_on_the_same(fact: dict[str, str], tables: dict[str, pd.DataFrame]) -> None:
    table = tables[fact["table"]]
    rows = table[table[fact["column"]].notna()]
    assert len(rows), "a published figure that no row of the example shows"
    for row in rows.to_dict("records"):
        assert row[fact["ours"]] == pytest.approx(expected(fact, row)), fact


def expected(fact: dict[str, str], row: dict[str, Any]) -> float:
    """Ours by what the row of facts says, counted from the example without the project's code."""
    base = fact["base"]
    if fact["table"].startswith("results/statistics/"):
        return counted(base, images_of(fact["images"], row), row)
    of_example = {
        "percent of mistakes, taken for the dominant class": 25.0,
        "percent of mistakes, on low-quality images": 75.0,
        "millions of parameters with 1,000 classes": 25.56,
        "average precision at IoU 0.75": 0.11,
        "average recall at IoU 0.50 to 0.95": 0.12,
    }
    if base in of_example:
        return of_example[base]
    return 0.0 if "deviation" in base else MEASURED[fact["images"], fact["epoch"]]


def images_of(which: str, row: dict[str, Any]) -> pd.DataFrame:
    """The rows of the example: all, or those of a role, in the experiment of a row where it has one."""
    experiment = row.get("experiment", row.get("classes"))
    if experiment not in LABELS:
        return METADATA
    chosen = METADATA[METADATA[experiment] != NO_SPLIT]
    return chosen if which == "all" else chosen[chosen[experiment] == which]


def counted(base: str, images: pd.DataFrame, row: dict[str, Any]) -> float:
    experiment = row.get("experiment", row.get("classes"))
    column = LABELS.get(experiment, {"bin": "uri"}.get(row.get("rank", experiment), row.get("rank")))
    names = images[column][~images[column].isin(["", "not_classified"])]
    counts = names.value_counts()
    if base == "images" and "class" in row:
        return counts[row["class"]]
    return {
        "images": lambda: len(images),
        "classes": lambda: len(counts),
        "names": lambda: len(counts),
        "labelled images": lambda: len(names),
        "percent of images, labelled": lambda: round(100 * len(names) / len(images), 1),
        "largest over smallest class": lambda: round(counts.max() / counts.min(), 2),
    }[base]()


# The calls of functions, by name: those of the library have one meaning each (test_layers.py).


@cache
def _functions() -> dict[str, set[str]]:
    """Each top-level function of library and scripts -> the names and the marks of the paper's figures within it."""
    found: dict[str, set[str]] = {}
    for path in [*(SCRIPTS / "bioscan1m").rglob("*.py"), *SCRIPTS.glob("*.py")]:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                used = {_in_module(path, name) for name in _names(node)}
                found[_in_module(path, node.name)] = used | ({"published"} if _marked(node) else set())
    return found


def _in_module(path: Path, name: str) -> str:
    """A private name is that of its module, and so is that of its main function."""
    return f"{path.stem}.{name}" if name.startswith("_") or name == "main" else name


def _names(node: ast.AST) -> set[str]:
    """The names in a piece of code; `published` only where it is called, for variables have that name too."""
    names = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
    called = {ast.unparse(child.func) for child in ast.walk(node) if isinstance(child, ast.Call)}
    return names - (READERS - called)


def _marked(node: ast.AST) -> bool:
    constants = (child.value for child in ast.walk(node) if isinstance(child, ast.Constant))
    return any(isinstance(value, str) and "_published" in value for value in constants)


def _called_by_rule(path: Path) -> set[str]:
    """The functions that the last block of a script calls."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {_in_module(path, name) for node in body if isinstance(node, ast.If) for name in _names(node)}


@cache
def _reaches_the_paper(name: str) -> bool:
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in READERS:
            return True
        if current not in seen:
            seen.add(current)
            waiting += _functions().get(current, set())
    return False
