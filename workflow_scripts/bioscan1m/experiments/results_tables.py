"""The final tables beside the published figures: validation by trial (A3, A4), test (5), mistakes, networks (A2).

All figures are percentages, as the paper prints them; a difference is ours minus published, in percentage points. The
columns of published figures are empty for an experiment that is not in the paper, and left out where none of them is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bioscan1m.experiments.intervals import macro_interval
from bioscan1m.experiments.results import Result, group_by_trial, mean_and_deviation, name_model
from bioscan1m.foundation.published import OF_PAPER, published

# Metrics of tables A3 and A4, with the epoch at which the paper measured each: beside ours of it stands its figure.
# Inference, stated nowhere: micro F1 and micro top-1 are equal on the same predictions, yet 23 of 24 cells of A4 are at
# least as high as in A3; the released code logs accuracies by epoch, and computes F1 with the best weights alone.
BEST_EPOCH, LAST_EPOCH = "metrics", "last_epoch_metrics"
PUBLISHED_AT = {
    "micro_top1": LAST_EPOCH,
    "macro_top1": LAST_EPOCH,
    "micro_f1": BEST_EPOCH,
    "macro_f1": BEST_EPOCH,
}
EPOCH_NAMES = {BEST_EPOCH: "best", LAST_EPOCH: "last"}
DECIMALS = 2  # as printed in the paper
PRETRAINED_CLASSES = 1_000  # of ImageNet: table A2 has the networks with the head of their pretraining
SAME_NETWORK = 0.01  # by how much its parameters may differ from those of table A2, which rounds 86.57 to 86


def summarise_validations(validations: Sequence[Result], tests: Sequence[Result]) -> pd.DataFrame:
    """One row per trial: mean and population standard deviation over its seeds of the metrics of tables A3 and A4.

    Each is given at the best and at the last epoch; the figure of the paper stands beside that of its epoch. What a run
    of earlier code did not measure is empty.

    Args:
        validations: the contents of validation.json files.
        tests: the contents of test.json files, which name the selected trials.

    Returns:
        The table.
    """
    selected = {(test["experiment"], test["backbone"], test["loss"]) for test in tests}
    rows = [
        {**_describe_trial(runs), "selected": "yes" if trial in selected else "no", **_validation_metrics(runs)}
        for trial, runs in group_by_trial(validations).items()
    ]
    return results_table(rows)


def summarise_tests(tests: Sequence[Result], selections: Sequence[Result]) -> pd.DataFrame:
    """One row per experiment: the selected trial on the test set, beside the share of the most frequent class.

    `selections` are the contents of selection.json files; their `differs_from_paper` becomes a column.
    """
    differs = {selection["experiment"]: selection["differs_from_paper"] for selection in selections}
    return results_table(
        [
            {**tested_model(test), **_test_metrics(test), "differs_from_paper": differs[test["experiment"]]}
            for test in tests
        ]
    )


def summarise_released(tests: Sequence[Result], checkpoints: Sequence[str]) -> pd.DataFrame:
    """One row per released classifier, which `checkpoints` name: the test metrics beside those of table 5.

    How the authors trained it is not in the file, so that there is neither a loss nor a seed.
    """
    rows = [
        {"checkpoint": name, **tested_model(test), **_test_metrics(test)}
        for name, test in zip(checkpoints, tests, strict=True)
    ]
    return results_table(rows).drop(columns=["loss", "seed"])


def summarise_misclassified(tests: Sequence[Result], dominant: Mapping[str, str]) -> pd.DataFrame:
    """One row per experiment: how many test images are misclassified, and which share of them as the dominant class.

    Args:
        tests: the contents of test.json files.
        dominant: by experiment the class with most images of the dataset, not of the test images, of which a balanced
            experiment has equally many per class.

    Returns:
        The table; where nothing is misclassified the share is None.
    """
    return results_table(
        [{**_describe_experiment(test), **_misclassified(test, dominant[test["experiment"]])} for test in tests]
    )


def summarise_backbones(validations: Sequence[Result]) -> pd.DataFrame:
    """One row per backbone: the true network and its parameters with a head of PRETRAINED_CLASSES, in millions (A2).

    The head of each training has the classes of its experiment. A run of earlier code did not count its parameters, and
    then there is no number. The paper's stands beside a network of that size alone, whatever a config calls another.
    """
    models = {run["backbone"]: (run["model"], len(run["classes"])) for run in validations}
    paper = published("tableA2_backbones").set_index("backbone")["million_parameters"]
    rows: list[dict[str, object]] = []
    for backbone, (model, classes) in models.items():
        ours, figure = _parameters_as_pretrained(model, classes), paper.get(backbone)
        same = ours is not None and figure is not None and math.isclose(ours, figure, rel_tol=SAME_NETWORK)
        rows.append(
            {
                "backbone": backbone,
                "library": model["library"],
                "network": model["name"],
                "million_parameters": ours,
                "million_parameters_published": figure if same else None,
            }
        )
    return results_table(rows) if rows else pd.DataFrame(columns=["backbone"])


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


def results_table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """The rows, without columns of the paper that are empty.

    Where a run has no experiments, a table with the first column alone, so that its file has a header.
    """
    table = pd.DataFrame(rows, columns=None if rows else ["experiment"])
    of_paper = [name for name in table if OF_PAPER.search(name)]
    return table.drop(columns=[name for name in of_paper if table[name].isna().all()])


def _describe_trial(runs: Sequence[Result]) -> dict[str, object]:
    return {
        **_describe_experiment(runs[0]),
        "seeds": len(runs),
        "images": runs[0]["images"]["validation"],
    }


def tested_model(test: Result) -> dict[str, object]:
    """What was tested: classes, images, those left out; in percent the interval of the macro top-1 and the majority."""
    low, high = macro_interval(np.array(test["confusion_matrix"]))
    return {
        **_describe_experiment(test),
        "seed": test["seed"],
        "classes": len(test["classes"]),
        "images": test["images"]["test"],
        "fewest_images_of_a_class": _fewest_images(test),
        "macro_top1_low": _percent(low),
        "macro_top1_high": _percent(high),
        "images_left_out": len(test["skipped"]["test"]),  # missing from the package or unreadable
        "majority_class": test["majority"]["class"],
        "majority_share": _percent(test["majority"]["share"]),
    }


def _fewest_images(test: Result) -> int:
    """The fewest test images of a class that has any: each class is one term of a macro metric, of many or of one."""
    return min((sum(row) for row in test["confusion_matrix"] if any(row)), default=0)


def _describe_experiment(result: Result) -> dict[str, object]:
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
    return (match[1], match[2]) if match else ("", experiment)


def _validation_metrics(runs: Sequence[Result]) -> dict[str, float | None]:
    size, task = split_name(runs[0]["experiment"])
    table = published("tableA3_A4_validation")
    table = table[(table["dataset"] == size) & (table["task"] == task)]
    table = table[(table["backbone"] == runs[0]["backbone"]) & (table["loss"] == runs[0]["loss"])].set_index("metric")
    row: dict[str, float | None] = {}
    for metric, published_at in PUBLISHED_AT.items():
        for epoch, name in EPOCH_NAMES.items():
            mean, deviation = _of_seeds(runs, metric, epoch)
            row |= {f"{metric}_{name}_mean": mean, f"{metric}_{name}_std": deviation}
            if epoch == published_at:
                paper = table.loc[metric] if metric in table.index else {"mean": None, "std": None}
                row |= {
                    f"{metric}_{name}_published_mean": paper["mean"],
                    f"{metric}_{name}_published_std": paper["std"],
                }
                row[f"{metric}_{name}_difference"] = _difference(mean, paper["mean"])
    return row


def _of_seeds(runs: Sequence[Result], metric: str, epoch: str) -> tuple[float | None, float | None]:
    """Mean and deviation in percent; None where a run has no metrics of that epoch, as one of earlier code."""
    if not all(epoch in run for run in runs):
        return None, None
    mean, deviation = mean_and_deviation([run[epoch] for run in runs], metric)
    return _percent(mean), _percent(deviation)


def _test_metrics(test: Result) -> dict[str, float | None]:
    size, task = split_name(test["experiment"])
    table = published("table5_test")
    return metrics_beside(test, table[(table["dataset"] == size) & (table["task"] == task)])


def _misclassified(test: Result, dominant: str) -> dict[str, object]:
    matrix = np.array(test["confusion_matrix"])
    images, wrong = int(matrix.sum()), int(matrix.sum() - np.trace(matrix))
    column = test["classes"].index(dominant)
    taken = int(matrix[:, column].sum() - matrix[column, column])
    share, paper = _percent(taken / wrong) if wrong else None, _taken_for_dominant_published(test)
    return {
        "images": images,
        "misclassified": wrong,
        "misclassified_share": _percent(wrong / images),
        "dominant_class": dominant,
        "taken_for_dominant": taken,
        "taken_for_dominant_share": share,
        "taken_for_dominant_share_published": paper,
        "taken_for_dominant_share_difference": _difference(share, paper),
    }


def _parameters_as_pretrained(model: Mapping[str, Any], classes: int) -> float | None:
    """Millions of parameters if the head, which has equally many for each class, were that of the pretraining."""
    if "head_parameters" not in model:
        return None
    of_head = model["head_parameters"] / classes * PRETRAINED_CLASSES
    return round((model["parameters"] - model["head_parameters"] + of_head) / 1e6, DECIMALS)


def _taken_for_dominant_published(test: Result) -> float | None:
    size, task = split_name(test["experiment"])
    table = published("figureA4_taken_for_dominant").set_index(["dataset", "task"])["taken_for_dominant_share"]
    return table.get((size, task))


def metrics_beside(test: Result, paper: pd.DataFrame) -> dict[str, float | None]:
    """The metrics of a test.json in percent; each that is a column of `paper`, whose first row counts, beside it.

    Where `paper` has no row, its figures and the differences are None.
    """
    row: dict[str, float | None] = {}
    for metric, value in test["metrics"].items():
        row[metric] = ours = _percent(value)
        if metric in paper:
            figure = float(paper[metric].iloc[0]) if len(paper) else None
            row |= {f"{metric}_published": figure, f"{metric}_difference": _difference(ours, figure)}
    return row


def _percent(share: float) -> float:
    return round(100 * share, DECIMALS)


def _difference(ours: float | None, paper: float | None) -> float | None:
    return None if ours is None or paper is None else round(ours - paper, DECIMALS)
