"""How often prediction sets hold the true class, and how large they are: on the test images, by class and in all.

All shares are percentages. The sets are calibrated on the validation images, of which none is a test image; but epoch
and trial were chosen on the validation images too, so that the sets may be a little too small. The coverage of the test
images is therefore part of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.tables import write_parquet
from bioscan1m.inference.conformal import class_thresholds, prediction_sets

CLASS_COLUMNS = [
    "experiment",
    "level",
    "class",
    "calibration_images",
    "in_every_set",
    "least_probability",
    "test_images",
    "coverage",
    "mean_set_size",
]
SUMMARY_COLUMNS = [
    "experiment",
    "level",
    "classes",
    "classes_in_every_set",
    "test_images",
    "coverage",
    "lowest_class_coverage",
    "mean_set_size",
    "sets_of_one",
    "empty_sets",
]


@dataclass(frozen=True)
class LevelSets:
    """The prediction sets of some images at one level."""

    level: float
    thresholds: np.ndarray  # (classes,), see conformal.class_thresholds
    members: np.ndarray  # bool (images, classes)

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
    """The sets of an experiment's test images, calibrated on its validation images, at each level."""

    experiment: str
    calibration: Predictions
    test: Predictions
    levels: list[LevelSets]


def form_test_sets(
    experiment: str, calibration: Predictions, test: Predictions, levels: Sequence[float]
) -> ExperimentSets:
    """Calibrate and form the sets of one experiment.

    Args:
        experiment: its name.
        calibration: the predictions for the validation images.
        test: those for the test images.
        levels: shares, as 0.95.

    Returns:
        The sets of the test images at each level.
    """
    return ExperimentSets(experiment, calibration, test, [form_sets(calibration, test.logits, one) for one in levels])


def form_sets(calibration: Predictions, logits: np.ndarray, level: float) -> LevelSets:
    """The sets of the images with these logits (images, classes)."""
    thresholds = class_thresholds(calibration, level)
    return LevelSets(level, thresholds, prediction_sets(logits, thresholds))


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

    A class belongs into a set from `least_probability` on: 0 where it is in every set, because it has too few
    calibration images.
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
        "calibration_images": int((sets.calibration.truth == place).sum()),
        "in_every_set": "yes" if np.isinf(one.thresholds[place]) else "no",
        "least_probability": 100 * max(0.0, 1 - one.thresholds[place]),
        "test_images": int(own.sum()),
        **_coverage_and_size(one, sets.test.truth, own),
    }


def _describe_level(sets: ExperimentSets, one: LevelSets, classes: pd.DataFrame) -> dict[str, object]:
    return {
        "classes": len(classes),
        "classes_in_every_set": int((classes["in_every_set"] == "yes").sum()),
        "test_images": len(sets.test.truth),
        **_coverage_and_size(one, sets.test.truth, np.full(len(sets.test.truth), True)),
        "lowest_class_coverage": classes["coverage"].min(),
        "sets_of_one": 100 * (one.sizes == 1).mean(),
        "empty_sets": 100 * (one.sizes == 0).mean(),
    }


def _coverage_and_size(sets: LevelSets, truth: np.ndarray, chosen: np.ndarray) -> dict[str, float | None]:
    """Of the chosen images: the share whose set holds the true class, and the mean size of the sets; None without."""
    if not chosen.any():
        return {"coverage": None, "mean_set_size": None}
    covered = sets.members[np.arange(len(truth)), truth]
    return {"coverage": 100 * covered[chosen].mean(), "mean_set_size": sets.sizes[chosen].mean()}
