"""The results of runs (validation.json, test.json), read back and grouped by trial."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any


def read_results(files: Sequence[str | Path]) -> list[dict[str, Any]]:
    """The contents of validation.json or test.json files, in order."""
    return [json.loads(Path(file).read_text(encoding="utf-8")) for file in files]


def group_by_trial(validations: Sequence[dict[str, Any]]) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """The runs of each (experiment, backbone, loss), in order; they differ in their seeds."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for run in validations:
        groups.setdefault((run["experiment"], run["backbone"], run["loss"]), []).append(run)
    return groups


def mean_and_deviation(runs: Sequence[dict[str, Any]], metric: str) -> tuple[float, float]:
    """Mean and population standard deviation of a metric over the seeds of a trial."""
    values = [run["metrics"][metric] for run in runs]
    return fmean(values), pstdev(values)


def name_model(model: dict[str, Any]) -> str:
    """The true model behind a backbone's name, in a few words; `model` is as in validation.json."""
    return f"{model['name'].removesuffix('ForImageClassification')}, {model['parameters'] / 1e6:.2f} M parameters"
