"""The outcome of a training, and its files: weights, history, speed and validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioscan1m.experiments.evaluation import describe_majority
from bioscan1m.experiments.metrics import classification_metrics, most_frequent_class
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.results import Result
from bioscan1m.experiments.settings import TrialSettings
from bioscan1m.experiments.trained_classifier import Skipped
from bioscan1m.experiments.training_data import LabelledImages
from bioscan1m.experiments.training_history import TrainingHistory
from bioscan1m.networks.channels import Channels
from bioscan1m.networks.weights import write_weights

# By epoch, of history.tsv and speed.tsv, with so many significant digits.
DIGITS = 8
HISTORY_COLUMNS = ("epoch", "learning_rate", "train_loss", "validation_loss", "micro_top1", "macro_top1")
# In a separate file: no two runs have the same times, all else of a trial is the same to the byte.
SPEED_COLUMNS = ("epoch", "train_seconds", "train_images_per_second", "validation_images_per_second")


@dataclass(frozen=True)
class Trained:
    """The outcome of a trial: weights and validation predictions of the best epoch, and the history of all epochs."""

    trial: TrialSettings
    model: Mapping[str, object]  # the true model: library, name, settings, parameters
    training_images: LabelledImages
    history: list[dict[str, float]]
    speed: list[dict[str, float]]
    best_epoch: int
    weights: dict[str, torch.Tensor]
    validation: Predictions
    skipped: dict[str, Skipped]  # by role
    last_metrics: dict[str, float]  # of the validation images after the last epoch


def outcome_of(
    history: TrainingHistory,
    trial: TrialSettings,
    model: Mapping[str, object],
    classes: list[str],
    training_images: LabelledImages,
) -> Trained:
    """The outcome of a training that is over; the other arguments are as in `Trained`."""
    best = history.best
    assert best is not None  # there is at least one epoch
    return Trained(
        trial=trial,
        model=model,
        training_images=training_images,
        history=history.learned,
        speed=history.speed,
        best_epoch=best.epoch,
        weights=best.weights,
        validation=Predictions(classes, best.image_files, best.truth.numpy(), best.logits.numpy()),
        skipped=history.skipped,
        last_metrics=history.last_metrics,
    )


def describe_validation(trained: Trained) -> Result:
    """The contents of validation.json: the trial, its true model, counts, metrics of the best and of the last epoch."""
    trial, validation = trained.trial.recorded, trained.validation
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
        "majority": describe_majority(classes[most_frequent_class(labels)], validation),
        "epochs": len(trained.history),
        "best_epoch": trained.best_epoch,
        "metrics": classification_metrics(validation.truth, validation.logits),
        "last_epoch_metrics": trained.last_metrics,
    }


def write_model(path: str | Path, trained: Trained, digests: dict[str, str]) -> None:
    """Write the best epoch's weights with their recipe.

    Args:
        path: the model's file.
        trained: the outcome of the training.
        digests: of code and data, which belong to the recipe.
    """
    trial = trained.trial
    recipe = describe_recipe(trained.validation.classes, trial.recorded, trained.model, trial.channels)
    write_weights(path, trained.weights, recipe | digests)


def describe_recipe(
    classes: Sequence[str], trial: Mapping[str, Any], model: Mapping[str, object], channels: Channels
) -> dict[str, object]:
    """The metadata of a model's file.

    Args:
        classes: in the order of the logits.
        trial: its plain values, as in the rule's parameter.
        model: the true model, as `describe_model` returns it.
        channels: those that it was trained on.

    Returns:
        One value per key of the metadata.
    """
    return {"classes": classes, "trial": trial, "model": model, "channels": channels._asdict()}


def untrained_classes(classes: Sequence[str], labels: np.ndarray) -> list[int]:
    """Classes that no training image has: they can be tested, but never be found."""
    return np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 0).tolist()
