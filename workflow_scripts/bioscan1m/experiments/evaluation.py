"""The test of a trained classifier, of an experiment the one that was selected.

Each image is decoded once: every metric and figure is made from the logits.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan1m.experiments.metrics import (
    class_accuracy,
    classification_metrics,
    confusion_matrix,
    most_frequent_class,
    reliability_curve,
)
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.results import Result
from bioscan1m.experiments.trained_classifier import Skipped, load_trained
from bioscan1m.experiments.training_data import read_split
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.progress import Progress
from bioscan1m.networks.weights import read_recipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tested:
    """The selected classifier of an experiment on its roles `validation` and `test`."""

    recipe: dict[str, Any]  # as in the model's file
    majority: str  # the most frequent class in training
    predictions: dict[str, Predictions]
    skipped: dict[str, Skipped]


def evaluate_model(package: str | Path, split: str | Path, file: str | Path) -> Tested:
    """Run a trained classifier on the validation and the test images of its experiment.

    Args:
        package: the HDF5 file of the images.
        split: the table of image_file, label and role.
        file: the model.

    Returns:
        Its predictions for both roles.

    Raises:
        InputError: it was trained for other classes than those of the split.
    """
    classes, images = read_split(split)
    if read_recipe(file)["classes"] != classes:
        raise InputError(f"{file}: trained for other classes than {split} has; train it again")
    classifier = load_trained(file)
    progress = Progress("evaluation", len(images["validation"]) + len(images["test"]))
    predictions, skipped = {}, {}
    for role in ("validation", "test"):
        predictions[role], skipped[role] = classifier.predict(package, images[role], progress)
    return Tested(classifier.recipe, classes[most_frequent_class(images["train"].labels)], predictions, skipped)


def describe_test(tested: Tested, top_k: Sequence[int]) -> Result:
    """The contents of test.json: trial, true model, counts, metrics, accuracies by class and confusion matrix."""
    test, trial = tested.predictions["test"], tested.recipe["trial"]
    matrix = confusion_matrix(test.truth, test.logits)
    by_class = zip(test.classes, matrix.sum(axis=1).tolist(), class_accuracy(matrix), strict=True)
    return {
        **{key: trial[key] for key in ("experiment", "backbone", "loss", "seed")},
        "model": tested.recipe["model"],
        "classes": test.classes,
        "images": {role: len(predictions.truth) for role, predictions in tested.predictions.items()},
        "skipped": tested.skipped,
        "majority": describe_majority(tested.majority, test),
        "metrics": classification_metrics(test.truth, test.logits, top_k),
        "per_class": [{"class": name, "images": images, "accuracy": share} for name, images, share in by_class],
        "confusion_matrix": matrix.tolist(),
        "reliability_curve": reliability_curve(test.truth, test.logits),
    }


def describe_majority(majority: str, predictions: Predictions) -> dict[str, object]:
    """The baseline: the share of images whose class is the most frequent one of the training images."""
    return {"class": majority, "share": float((predictions.truth == predictions.classes.index(majority)).mean())}


def find_selected(models: Sequence[str | Path], selection: str | Path | None) -> str | Path:
    """The one of the `models` whose backbone, loss and seed are those of selection.json; without one, the only model.

    Raises InputError where no model is the selected one.
    """
    if selection is None:
        (file,) = models
        return file
    selected = json.loads(Path(selection).read_text(encoding="utf-8"))["selected"]
    for file in models:
        trial = read_recipe(file)["trial"]
        if all(trial[key] == selected[key] for key in ("backbone", "loss", "seed")):
            return file
    raise InputError(f"no model of the selected trial {selected} among {', '.join(map(str, models))}; train it first")


def images_by_role(described: Result) -> dict[str, int]:
    """Images in, out and skipped over all roles of a validation.json or test.json."""
    out, skipped = sum(described["images"].values()), sum(map(len, described["skipped"].values()))
    return {"in": out + skipped, "out": out, "skipped": skipped}


def warn_of_absences(described: Result) -> None:
    """Log a summary of what a validation.json or test.json lists: images left out, classes not learned."""
    for role, skipped in described["skipped"].items():
        if skipped:
            first = skipped[0]
            logger.warning(
                "%d images of the role %s are left out, the first of them %s: %s",
                len(skipped), role, first["image_file"], first["reason"],
            )  # fmt: skip
    if untrained := described.get("classes_without_training_images"):
        logger.warning("no training image shows %s: these can be tested, but never be found", ", ".join(untrained))
