"""The results of runs (validation.json, test.json), read back and grouped by trial."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

# The contents of a validation.json, test.json or selection.json.
Result = dict[str, Any]


def read_results(files: Sequence[str | Path]) -> list[Result]:
    """The contents of files of one kind, in order."""
    return [json.loads(Path(file).read_text(encoding="utf-8")) for file in files]


def group_by_trial(validations: Sequence[Result]) -> dict[tuple[str, str, str], list[Result]]:
    """The runs of each (experiment, backbone, loss), in order; they differ in their seeds."""
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for run in validations:
        groups.setdefault((run["experiment"], run["backbone"], run["loss"]), []).append(run)
    return groups


def mean_and_deviation(measured: Sequence[Mapping[str, float]], metric: str) -> tuple[float, float]:
    """Mean and population standard deviation of a metric; `measured` has the metrics of each seed of a trial."""
    values = [metrics[metric] for metrics in measured]
    return fmean(values), pstdev(values)


def name_model(model: Mapping[str, Any]) -> str:
    """The true model behind a backbone's name, in a few words; `model` is as in validation.json."""
    return f"{model['name'].removesuffix('ForImageClassification')}, {model['parameters'] / 1e6:.2f} M parameters"
