"""Select one trial per experiment: the one with the highest mean of a validation metric over its seeds (paper, 5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bioscan1m.experiments.experiment_results import group_by_trial, mean_and_deviation, read_results
from bioscan1m.published import published

# What the paper tested in all six of its experiments (A6.3).
PAPER_BACKBONE, PAPER_LOSS = "vit_b_16", "ce"


def select_trial(files: Sequence[str | Path], metric: str) -> dict[str, Any]:
    """What selection.json says of the validation.json `files` of one experiment.

    Each trial has the mean and the population standard deviation of `metric` over its seeds; of equal means the trial
    that comes first wins. The weights to test are those of its best seed.
    """
    validations = read_results(files)
    trials = [_describe_trial(runs, metric) for runs in group_by_trial(validations).values()]
    best = max(trials, key=lambda trial: trial["mean"])
    seed = best["seeds"][best["values"].index(max(best["values"]))]
    experiment = validations[0]["experiment"]
    return {
        "experiment": experiment,
        "metric": metric,
        "trials": trials,
        "selected": {"backbone": best["backbone"], "loss": best["loss"], "seed": seed},
        "differs_from_paper": _difference_from_paper(experiment, best, trials),
    }


def _describe_trial(runs: Sequence[dict[str, Any]], metric: str) -> dict[str, Any]:
    mean, deviation = mean_and_deviation(runs, metric)
    return {
        "backbone": runs[0]["backbone"],
        "loss": runs[0]["loss"],
        "seeds": [run["seed"] for run in runs],
        "values": [run["metrics"][metric] for run in runs],
        "mean": mean,
        "std": deviation,
    }


def _difference_from_paper(experiment: str, best: dict[str, Any], trials: Sequence[dict[str, Any]]) -> str | None:
    """A sentence where the paper tested another trial in this experiment, else None."""
    table = published("tableA3_A4_validation")
    if experiment not in set(table["dataset"] + "_" + table["task"]):
        return None
    if (best["backbone"], best["loss"]) == (PAPER_BACKBONE, PAPER_LOSS):
        return None
    theirs = [trial for trial in trials if (trial["backbone"], trial["loss"]) == (PAPER_BACKBONE, PAPER_LOSS)]
    distance = f"which is {100 * (best['mean'] - theirs[0]['mean']):.2f} points behind" if theirs else "not tried here"
    return f"The paper tested {PAPER_BACKBONE} with {PAPER_LOSS}, {distance}."
