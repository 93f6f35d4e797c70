"""The outcome of a training, and the files that say it: weights, history, speed and validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioscan1m.atomic import write_text
from bioscan1m.experiments.batches import DATASET_CHANNELS, Channels
from bioscan1m.experiments.evaluation import describe_majority, majority_class
from bioscan1m.experiments.metrics import summarise
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.trained_classifier import Skipped
from bioscan1m.experiments.training_data import LabelledImages
from bioscan1m.weights import write_weights

HISTORY_COLUMNS = ("epoch", "learning_rate", "train_loss", "validation_loss", "micro_top1", "macro_top1")
SPEED_COLUMNS = ("epoch", "train_seconds", "train_images_per_second", "validation_images_per_second")


@dataclass(frozen=True)
class Trained:
    """The outcome of a trial: weights and validation predictions of the best epoch, and the history of all epochs."""

    trial: dict[str, Any]
    model: dict[str, Any]  # the true model: library, name, settings, parameters
    training_images: LabelledImages
    history: list[dict[str, float]]
    speed: list[dict[str, float]]
    best_epoch: int
    weights: dict[str, torch.Tensor]
    validation: Predictions
    skipped: dict[str, Skipped]  # by role


def describe_validation(trained: Trained) -> dict[str, Any]:
    """What validation.json says: the trial, its true model, counts, and the metrics of the best epoch."""
    trial, validation = trained.trial, trained.validation
    classes, labels = validation.classes, trained.training_images.labels
    return {
        **{key: trial[key] for key in ("experiment", "backbone", "loss", "seed")},
        "model": trained.model,
        "training": trial["training"],
        "classes": classes,
        "classes_without_training_images": [classes[place] for place in untrained_classes(classes, labels)],
        "images": {
            "train": len(labels) - len(trained.skipped["train"]),
            "validation": len(validation.truth),
        },
        "skipped": trained.skipped,
        "majority": describe_majority(classes[majority_class(labels)], validation),
        "epochs": len(trained.history),
        "best_epoch": trained.best_epoch,
        "metrics": summarise(validation.truth, validation.logits),
    }


def write_model(path: str | Path, trained: Trained, digests: dict[str, str]) -> None:
    """Write the best epoch's weights with their recipe, to which the digests of code and data belong."""
    recipe = describe_recipe(trained.validation.classes, trained.trial, trained.model, DATASET_CHANNELS)
    write_weights(path, trained.weights, recipe | digests)


def describe_recipe(
    classes: Sequence[str], trial: dict[str, Any], model: dict[str, Any], channels: Channels
) -> dict[str, Any]:
    """What a model's file says of it: its classes in the order of the logits, its trial, what it is, what it sees."""
    return {"classes": classes, "trial": trial, "model": model, "channels": channels._asdict()}


def write_history(path: str | Path, history: Sequence[dict[str, float]]) -> None:
    """Write one row per epoch as TSV: what it learned, which is the same for every run of the trial."""
    _write_rows(path, HISTORY_COLUMNS, history)


def write_speed(path: str | Path, speed: Sequence[dict[str, float]]) -> None:
    """Write one row per epoch as TSV: how fast it was.

    In a file of its own, since no two runs have the same times: all others of a trial are the same to the byte.
    """
    _write_rows(path, SPEED_COLUMNS, speed)


def untrained_classes(classes: Sequence[str], labels: np.ndarray) -> list[int]:
    """Classes that no training image has: they can be tested, but never be found."""
    return np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 0).tolist()


def _write_rows(path: str | Path, columns: Sequence[str], rows: Sequence[dict[str, float]]) -> None:
    lines = [columns, *([f"{row[column]:.8g}" for column in columns] for row in rows)]
    write_text(path, "".join("\t".join(line) + "\n" for line in lines))
