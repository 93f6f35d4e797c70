"""What a classifier says of the images of a role, and the test of the classifier that was selected.

Each image is decoded once: the logits are kept, and every metric and figure is drawn from them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from bioscan1m.device import mixed_precision, prepare_device, to_device
from bioscan1m.errors import InputError
from bioscan1m.experiments.classifiers import build_classifier, class_logits, load_trained_weights
from bioscan1m.experiments.metrics import class_accuracy, confusion_matrix, reliability_curve, summarise
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.training_data import LabelledImages, load_batches, read_split, to_network_input
from bioscan1m.progress import Progress
from bioscan1m.weights import read_recipe

# image_file and reason of each image that could not be used
Skipped = list[dict[str, str]]


@dataclass(frozen=True)
class Tested:
    """The selected classifier of an experiment on its roles `validation` and `test`."""

    recipe: dict[str, Any]  # as in the model's file
    majority: str  # the most frequent class in training
    predictions: dict[str, Predictions]
    skipped: dict[str, Skipped]


def evaluate_model(package: str | Path, split: str | Path, file: str | Path) -> Tested:
    """Run a trained classifier on the validation and the test images of its experiment.

    Raises InputError where it was trained for other classes than those of the split.
    """
    recipe = read_recipe(file)
    classes, images = read_split(split)
    if recipe["classes"] != classes:
        raise InputError(f"{file}: trained for other classes than {split} has; train it again")
    training = recipe["trial"]["training"] | {"cache_images": False}  # one pass: nothing to keep
    precision = training["precision"]
    device = prepare_device(training["threads"], recipe["trial"]["seed"])
    model = build_classifier(recipe["model"], len(classes), training["crop"])
    load_trained_weights(model, file)
    to_device(model, device)
    progress = Progress("evaluation", len(images["validation"]) + len(images["test"]))
    evaluated = {
        role: predict(model, load_batches(package, images[role], training), images[role], classes, progress, precision)
        for role in ("validation", "test")
    }
    predictions, skipped = ({role: pair[part] for role, pair in evaluated.items()} for part in (0, 1))
    return Tested(recipe, classes[majority_class(images["train"].labels)], predictions, skipped)


def describe_test(tested: Tested, top_k: Sequence[int]) -> dict[str, Any]:
    """What test.json says: the trial, its true model, counts, metrics, accuracies by class and confusion matrix."""
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
        "metrics": summarise(test.truth, test.logits, top_k),
        "per_class": [{"class": name, "images": images, "accuracy": share} for name, images, share in by_class],
        "confusion_matrix": matrix.tolist(),
        "reliability_curve": reliability_curve(test.truth, test.logits),
    }


def majority_class(labels: np.ndarray) -> int:
    """The most frequent class, the first of those that are equally frequent."""
    return int(np.bincount(labels).argmax())


def describe_majority(majority: str, predictions: Predictions) -> dict[str, Any]:
    """The baseline: how often it would be right to say the most frequent class of the training images."""
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


def predict(
    model: nn.Module,
    batches: DataLoader,
    images: LabelledImages,
    classes: list[str],
    progress: Progress,
    precision: str,
) -> tuple[Predictions, Skipped]:
    """Predictions for all images that can be read, in their order, and the others with their reasons.

    Raises InputError where not one image can be read.
    """
    model.eval()
    device = next(model.parameters()).device
    indices, logits, skipped = [], [], []
    for batch in batches:
        skipped += batch.skipped
        if len(batch.labels):
            with torch.no_grad(), mixed_precision(device, precision):
                output = class_logits(model, to_network_input(batch.images, device))
            logits.append(output.float().cpu().numpy())
            indices.append(batch.indices.numpy())
        progress.advance(len(batch.labels) + len(batch.skipped))
    if not logits:
        raise InputError(f"none of {len(images)} images can be read; the first: {name_skipped(images, skipped[:1])}")
    places = np.concatenate(indices)
    image_files = [images.image_files[index] for index in places]
    predictions = Predictions(classes, image_files, images.labels[places], np.concatenate(logits))
    return predictions, name_skipped(images, skipped)


def name_skipped(images: LabelledImages, skipped: Sequence[tuple[int, str]]) -> Skipped:
    """The images that could not be used by name, each with the reason."""
    return [{"image_file": images.image_files[index], "reason": reason} for index, reason in skipped]


def count_images(described: dict[str, Any]) -> dict[str, int]:
    """Images in, out and skipped over all roles of a validation.json or test.json."""
    out, skipped = sum(described["images"].values()), sum(map(len, described["skipped"].values()))
    return {"in": out + skipped, "out": out, "skipped": skipped}
