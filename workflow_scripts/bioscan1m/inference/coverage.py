"""How often prediction sets hold the true class, and how large they are: on the test images, by class and in all.

Epoch and trial were chosen on the validation images, which would therefore promise too much. The test images have
chosen nothing. They come in two halves, and the sets of each are calibrated on the other, so that no image is covered
by a threshold that it has part in; new photographs have the thresholds of both halves together. All shares are
percentages, and those over few images have an interval of 95 % (Clopper and Pearson 1934).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from bioscan1m.experiments.intervals import share_interval
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.tables import write_parquet
from bioscan1m.inference.conformal import Thresholds, prediction_sets
from bioscan1m.inference.temperature import calibrate, fit_temperature

CLASS_COLUMNS = [
    "experiment",
    "level",
    "class",
    "shared_threshold",
    "least_probability",
    "test_images",
    "coverage",
    "coverage_low",
    "coverage_high",
    "mean_set_size",
]
SUMMARY_COLUMNS = [
    "experiment",
    "level",
    "temperature",
    "classes",
    "test_images",
    "coverage",
    "coverage_low",
    "coverage_high",
    "lowest_class_coverage",
    "mean_set_size",
    "sets_of_one",
    "promised_together",
]


@dataclass(frozen=True)
class LevelSets:
    """The prediction sets of some images at one level."""

    level: float
    thresholds: Thresholds  # of new photographs, from all test images
    members: np.ndarray  # bool (images, classes), of each half by the thresholds from the other one

    @property
    def column(self) -> str:
        """The name of a column with these sets, as `set_95`."""
        return f"set_{100 * self.level:g}"

    @property
    def sizes(self) -> np.ndarray:
        """Number of classes (images,) in each set."""
        return self.members.sum(axis=1)


@dataclass(frozen=True)
class ExperimentSets:
    """The sets of an experiment's test images at each level."""

    experiment: str
    temperature: float
    test: Predictions
    levels: list[LevelSets]


def form_test_sets(
    experiment: str, test: Predictions, second_half: np.ndarray, levels: Sequence[float]
) -> ExperimentSets:
    """Calibrate and form the sets of one experiment.

    Args:
        experiment: its name.
        test: the predictions for the test images.
        second_half: whether a test image is in the second half, bool (images,).
        levels: shares, as 0.95.

    Returns:
        The sets of the test images at each level.
    """
    sets = [LevelSets(one, calibrate(test, one).thresholds, _cross_fitted(test, second_half, one)) for one in levels]
    return ExperimentSets(experiment, fit_temperature(test), test, sets)


def _cross_fitted(test: Predictions, second_half: np.ndarray, level: float) -> np.ndarray:
    """The sets of the images of each half, calibrated on the other: bool (images, classes)."""
    members = np.empty(test.logits.shape, dtype=bool)
    for own in (second_half, ~second_half):
        calibration = calibrate(test.take(~own), level)
        members[own] = prediction_sets(test.logits[own] / calibration.temperature, calibration.thresholds)
    return members


def name_members(classes: Sequence[str], logits: np.ndarray, sets: LevelSets) -> list[list[str]]:
    """The class names of each set, the most probable first."""
    names, order = np.array(classes, dtype=object), np.argsort(-logits, axis=1, kind="stable")
    return [names[ranked[chosen[ranked]]].tolist() for ranked, chosen in zip(order, sets.members, strict=True)]


def write_sets(path: str | Path, sets: ExperimentSets) -> None:
    """Write a Parquet table of image_file, truth, and for each level a column of lists of class names."""
    test = sets.test
    columns = {
        "image_file": pa.array(test.image_files, pa.string()),
        "truth": pa.array([test.classes[place] for place in test.truth], pa.string()),
        **{
            one.column: pa.array(name_members(test.classes, test.logits, one), pa.list_(pa.string()))
            for one in sets.levels
        },
    }
    write_parquet(path, pa.table(columns))


def class_coverage(experiments: Sequence[ExperimentSets]) -> pd.DataFrame:
    """One row for each experiment, level and class: how it was calibrated, and its coverage.

    A class belongs into a set from `least_probability` on; `shared_threshold` is yes where it shares that with others,
    because it has too few images for one that holds for the class alone.
    """
    rows = [
        {"experiment": sets.experiment, "level": 100 * one.level, "class": name, **_describe_class(sets, one, place)}
        for sets in experiments
        for one in sets.levels
        for place, name in enumerate(sets.test.classes)
    ]
    return pd.DataFrame(rows, columns=CLASS_COLUMNS)


def summarise_coverage(experiments: Sequence[ExperimentSets], by_class: pd.DataFrame) -> pd.DataFrame:
    """One row for each experiment and level, over all of its test images; `by_class` is the class_coverage."""
    groups = by_class.groupby(["experiment", "level"])
    rows = [
        {
            "experiment": sets.experiment,
            "level": 100 * one.level,
            **_describe_level(sets, one, groups.get_group((sets.experiment, 100 * one.level))),
        }
        for sets in experiments
        for one in sets.levels
    ]
    return pd.DataFrame(rows, columns=SUMMARY_COLUMNS)


def _describe_class(sets: ExperimentSets, one: LevelSets, place: int) -> dict[str, object]:
    own = sets.test.truth == place
    return {
        "shared_threshold": "yes" if one.thresholds.shared[place] else "no",
        "least_probability": 100 * max(0.0, 1 - one.thresholds.worst_fit[place]),
        "test_images": int(own.sum()),
        **_coverage_and_size(one, sets.test.truth, own),
    }


def _describe_level(sets: ExperimentSets, one: LevelSets, classes: pd.DataFrame) -> dict[str, object]:
    return {
        "temperature": sets.temperature,
        "classes": len(classes),
        "test_images": len(sets.test.truth),
        **_coverage_and_size(one, sets.test.truth, np.full(len(sets.test.truth), True)),
        "lowest_class_coverage": classes["coverage"].min(),
        "sets_of_one": 100 * (one.sizes == 1).mean(),
        "promised_together": ", ".join(classes.loc[classes["shared_threshold"] == "yes", "class"]),
    }


def _coverage_and_size(sets: LevelSets, truth: np.ndarray, chosen: np.ndarray) -> dict[str, float | None]:
    """Of the chosen images: the share whose set holds the true class with its interval, and the mean size of the sets.

    None where there are none.
    """
    if not chosen.any():
        return dict.fromkeys(("coverage", "coverage_low", "coverage_high", "mean_set_size"))
    covered = sets.members[np.arange(len(truth)), truth][chosen]
    low, high = share_interval(int(covered.sum()), len(covered))
    return {
        "coverage": 100 * covered.mean(),
        "coverage_low": 100 * low,
        "coverage_high": 100 * high,
        "mean_set_size": sets.sizes[chosen].mean(),
    }
