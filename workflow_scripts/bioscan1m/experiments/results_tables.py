"""The final tables beside the published figures: validation by trial (A3 and A4), test (5) and its mistakes (A6.4).

All figures are percentages, as the paper prints them; a difference is ours minus published, in percentage points. The
columns of published figures are empty for an experiment that is not in the paper, and left out where none of them is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bioscan1m.experiments.experiment_results import group_by_trial, mean_and_deviation, name_model
from bioscan1m.published import published

VALIDATION_METRICS = ("micro_top1", "macro_top1", "micro_f1", "macro_f1")  # tables A3 and A4
DECIMALS = 2  # as printed in the paper


def summarise_validations(validations: Sequence[dict[str, Any]], tests: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row per trial: mean and population standard deviation over its seeds of the metrics of tables A3 and A4.

    `validations` and `tests` are the contents of validation.json and test.json files; the tests tell which trial was
    selected.
    """
    selected = {(test["experiment"], test["backbone"], test["loss"]) for test in tests}
    rows = [
        {**_describe_trial(runs), "selected": "yes" if trial in selected else "no", **_validation_metrics(runs)}
        for trial, runs in group_by_trial(validations).items()
    ]
    return results_table(rows)


def summarise_tests(tests: Sequence[dict[str, Any]], selections: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row per experiment: the selected trial on the test set, beside the share of the most frequent class.

    `selections` are the contents of selection.json files; they tell where the paper tested another trial.
    """
    differs = {selection["experiment"]: selection["differs_from_paper"] for selection in selections}
    return results_table(
        [
            {**describe_test(test), **_test_metrics(test), "differs_from_paper": differs[test["experiment"]]}
            for test in tests
        ]
    )


def summarise_released(tests: Sequence[dict[str, Any]], checkpoints: Sequence[str]) -> pd.DataFrame:
    """One row per released classifier, which `checkpoints` name: the test metrics beside those of table 5.

    How the authors trained it is not in the file, so that there is neither a loss nor a seed.
    """
    rows = [
        {"checkpoint": name, **describe_test(test), **_test_metrics(test)}
        for name, test in zip(checkpoints, tests, strict=True)
    ]
    return results_table(rows).drop(columns=["loss", "seed"])


def summarise_misclassified(tests: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row per experiment: how many test images are misclassified, and which share of them as the dominant class.

    That is the class with most test images. Where nothing is misclassified the share is None.
    """
    return results_table([{**_describe_experiment(test), **_misclassified(test)} for test in tests])


def headline(tests: pd.DataFrame) -> str:
    """The test table in a few columns of plain text."""
    if tests.empty:
        return "The config names no experiments (classifier.trials).\n"
    rows = pd.DataFrame(
        {
            "experiment": tests["experiment"],
            "selected": tests["backbone"] + " " + tests["loss"],
            "true model": tests["model"],
            "classes": tests["classes"],
            "test images": tests["images"],
            "majority class": tests["majority_share"],
            "micro top-1": tests["micro_top1"],
            "macro top-1": tests["macro_top1"],
            "macro F1": tests["macro_f1"],
        }
    )
    if "micro_top1_published" in tests:
        rows["paper: micro top-1"] = tests["micro_top1_published"]
    return "Test set, in percent\n\n" + rows.to_string(index=False, na_rep="-") + "\n"


def results_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows, without columns of the paper that are empty.

    Where a run has no experiments, a table with the first column alone, so that its file has a header.
    """
    table = pd.DataFrame(rows, columns=None if rows else ["experiment"])
    of_paper = [name for name in table if re.search("_published|_difference$|differs_from_paper", name)]
    return table.drop(columns=[name for name in of_paper if table[name].isna().all()])


def _describe_trial(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        **_describe_experiment(runs[0]),
        "seeds": len(runs),
        "images": runs[0]["images"]["validation"],
    }


def describe_test(test: dict[str, Any]) -> dict[str, Any]:
    """What was tested: classes, images, those left out, and the share of the most frequent class in percent."""
    return {
        **_describe_experiment(test),
        "seed": test["seed"],
        "classes": len(test["classes"]),
        "images": test["images"]["test"],
        "images_left_out": len(test["skipped"]["test"]),  # missing from the package or unreadable
        "majority_class": test["majority"]["class"],
        "majority_share": _percent(test["majority"]["share"]),
    }


def _describe_experiment(result: dict[str, Any]) -> dict[str, Any]:
    size, task = split_name(result["experiment"])
    return {
        "experiment": result["experiment"],
        "task": task,
        "size": size,
        "backbone": result["backbone"],
        "loss": result["loss"],
        "model": name_model(result["model"]),
    }


def split_name(experiment: str) -> tuple[str, str]:
    """Size and task of an experiment by its name; the size is empty where the name does not follow the paper's."""
    match = re.fullmatch("(large|medium|small)_(.+)", experiment)
    return match.groups() if match else ("", experiment)


def _validation_metrics(runs: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    size, task = split_name(runs[0]["experiment"])
    table = published("tableA3_A4_validation")
    table = table[(table["dataset"] == size) & (table["task"] == task)]
    table = table[(table["backbone"] == runs[0]["backbone"]) & (table["loss"] == runs[0]["loss"])].set_index("metric")
    row: dict[str, float | None] = {}
    for metric in VALIDATION_METRICS:
        mean, deviation = (_percent(value) for value in mean_and_deviation(runs, metric))
        paper = table.loc[metric] if metric in table.index else {"mean": None, "std": None}
        row |= {f"{metric}_mean": mean, f"{metric}_std": deviation}
        row |= {f"{metric}_published_mean": paper["mean"], f"{metric}_published_std": paper["std"]}
        row[f"{metric}_difference"] = _difference(mean, paper["mean"])
    return row


def _test_metrics(test: dict[str, Any]) -> dict[str, float | None]:
    size, task = split_name(test["experiment"])
    table = published("table5_test")
    return metrics_beside(test, table[(table["dataset"] == size) & (table["task"] == task)])


def _misclassified(test: dict[str, Any]) -> dict[str, Any]:
    matrix = np.array(test["confusion_matrix"])
    images, wrong = int(matrix.sum()), int(matrix.sum() - np.trace(matrix))
    dominant = int(matrix.sum(axis=1).argmax())
    taken = int(matrix[:, dominant].sum() - matrix[dominant, dominant])
    share, paper = _percent(taken / wrong) if wrong else None, _taken_for_dominant_published(test)
    return {
        "images": images,
        "misclassified": wrong,
        "misclassified_share": _percent(wrong / images),
        "dominant_class": test["classes"][dominant],
        "taken_for_dominant": taken,
        "taken_for_dominant_share": share,
        "taken_for_dominant_share_published": paper,
        "taken_for_dominant_share_difference": None if share is None else _difference(share, paper),
    }


def _taken_for_dominant_published(test: dict[str, Any]) -> float | None:
    size, task = split_name(test["experiment"])
    table = published("figureA4_taken_for_dominant").set_index(["dataset", "task"])["taken_for_dominant_share"]
    return table.get((size, task))


def metrics_beside(test: dict[str, Any], paper: pd.DataFrame) -> dict[str, float | None]:
    """The metrics of a test.json in percent; each that is a column of `paper`, whose first row counts, beside it.

    Where `paper` has no row, its figures and the differences are None.
    """
    row: dict[str, float | None] = {}
    for metric, value in test["metrics"].items():
        row[metric] = _percent(value)
        if metric in paper:
            figure = float(paper[metric].iloc[0]) if len(paper) else None
            row |= {f"{metric}_published": figure, f"{metric}_difference": _difference(row[metric], figure)}
    return row


def _percent(share: float) -> float:
    return round(100 * share, DECIMALS)


def _difference(ours: float, paper: float | None) -> float | None:
    return None if paper is None else round(ours - paper, DECIMALS)
