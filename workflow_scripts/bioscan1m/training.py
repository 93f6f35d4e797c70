"""Train one classifier: the loop of the paper (4.3 and table 4), with the best weights by validation accuracy.

A trial knows nothing of the others: its parameters, the package and the split are all that it reads. On the CPU the
same parameters give the same bytes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import MultiStepLR

from bioscan1m.atomic import write_text
from bioscan1m.classifiers import (
    build_classifier,
    class_logits,
    describe_model,
    load_backbone_weights,
    with_published_settings,
)
from bioscan1m.device import mixed_precision, prepare_device, to_device
from bioscan1m.errors import InputError
from bioscan1m.evaluation import Skipped, describe_majority, majority_class, name_skipped, predict
from bioscan1m.losses import focal_loss
from bioscan1m.metrics import macro_top_k_accuracy, summarise, top_k_accuracy
from bioscan1m.predictions import Predictions
from bioscan1m.progress import Progress
from bioscan1m.training_data import Batch, LabelledImages, load_batches, read_split, to_network_input
from bioscan1m.weights import write_weights

logger = logging.getLogger(__name__)

HISTORY_COLUMNS = ("epoch", "learning_rate", "train_loss", "validation_loss", "micro_top1", "macro_top1")


@dataclass(frozen=True)
class Trained:
    """The outcome of a trial: weights and validation predictions of the best epoch, and the history of all epochs."""

    trial: dict[str, Any]
    model: dict[str, Any]  # the true model: library, name, settings, parameters
    training_images: LabelledImages
    history: list[dict[str, float]]
    best_epoch: int
    weights: dict[str, torch.Tensor]
    validation: Predictions
    skipped: dict[str, Skipped]  # by role


class Trainer:
    """One classifier in training: its network, its optimiser and its data.

    `weights` are the files of a folder of pretrained weights, empty for a backbone that starts from nothing. `trial`
    has experiment, backbone, loss, seed, backbone_settings (library, name, settings), loss_settings (gamma), training
    (the config's) and top_k. Raises InputError for input that does not fit.
    """

    def __init__(
        self, package: str | Path, split: str | Path, weights: Sequence[str | Path], trial: dict[str, Any]
    ) -> None:
        training = trial["training"]
        self._trial, self._device = trial, prepare_device(training["threads"], trial["seed"])
        self._classes, self._images = read_split(split)
        self._train_batches = load_batches(package, self._images["train"], training, trial["seed"])
        self._validation_batches = load_batches(package, self._images["validation"], training)
        folder = Path(weights[0]).parent if weights else None
        self._model, self._described = _make_model(trial, len(self._classes), folder)
        to_device(self._model, self._device)
        self._optimizer = make_optimizer(self._model, training)
        images_per_epoch = len(self._images["train"]) + len(self._images["validation"])
        self._progress = Progress("training", training["epochs"] * images_per_epoch)

    def run(self) -> Trained:
        """Train until the last epoch, or until `patience` epochs have brought no better validation accuracy.

        The best epoch is the first with the highest micro top-1 accuracy. Raises InputError for a loss that is no
        number and for a role of which no image can be read.
        """
        training, history, best = self._trial["training"], [], {}
        schedule = MultiStepLR(self._optimizer, training["learning_rate_steps"], training["learning_rate_factor"])
        for epoch in range(1, training["epochs"] + 1):
            learning_rate = schedule.get_last_lr()[0]
            train_loss, train_skipped = self._train_epoch(epoch)
            validation, validation_skipped = predict(
                self._model, self._validation_batches, self._images["validation"], self._classes, self._progress
            )
            history.append(self._describe_epoch(epoch, learning_rate, train_loss, validation))
            self._check_losses(history[-1])
            if not best or history[-1]["micro_top1"] > history[best["best_epoch"] - 1]["micro_top1"]:
                best = {"best_epoch": epoch, "weights": _copy(self._model), "validation": validation}
            if epoch - best["best_epoch"] >= training["patience"]:
                break
            schedule.step()
        skipped = {"train": train_skipped, "validation": validation_skipped}
        return Trained(self._trial, self._described, self._images["train"], history, skipped=skipped, **best)

    def _train_epoch(self, epoch: int) -> tuple[float, Skipped]:
        """One pass over the training images: the mean loss, and the images that could not be read."""
        self._model.train()
        self._train_batches.batch_sampler.epoch = epoch
        images, loss_sum, skipped = 0, torch.zeros((), device=self._device), []
        for batch in self._train_batches:
            if len(batch.labels):
                loss_sum += self._step(batch) * len(batch.labels)
            images += len(batch.labels)
            skipped += batch.skipped
            self._progress.advance(len(batch.labels) + len(batch.skipped))
        named = name_skipped(self._images["train"], sorted(skipped))
        if not images:
            raise InputError(f"none of {len(named)} training images can be read; the first: {named[0]}")
        return loss_sum.item() / images, named

    def _step(self, batch: Batch) -> torch.Tensor:
        """One step of the optimiser; the mean loss of the batch, on the device."""
        with mixed_precision(self._device):
            logits = class_logits(self._model, to_network_input(batch.images, self._device))
        loss = focal_loss(logits, batch.labels.to(self._device), self._trial["loss_settings"]["gamma"])
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return loss.detach()

    def _describe_epoch(
        self, epoch: int, learning_rate: float, train_loss: float, validation: Predictions
    ) -> dict[str, float]:
        """A row of the history, which is logged too."""
        truth, logits = validation.truth, validation.logits
        gamma = self._trial["loss_settings"]["gamma"]
        row = {
            "epoch": epoch,
            "learning_rate": learning_rate,
            "train_loss": train_loss,
            "validation_loss": focal_loss(torch.from_numpy(logits), torch.from_numpy(truth), gamma).item(),
            "micro_top1": top_k_accuracy(truth, logits, 1),
            "macro_top1": macro_top_k_accuracy(truth, logits, 1),
        }
        logger.info(", ".join(f"{name} {value:.4g}" for name, value in row.items()))
        return row

    def _check_losses(self, row: dict[str, float]) -> None:
        if math.isfinite(row["train_loss"]) and math.isfinite(row["validation_loss"]):
            return
        trial = self._trial
        raise InputError(
            f"{trial['experiment']}, {trial['backbone']}_{trial['loss']}, seed {trial['seed']}: the loss is no "
            f"number in epoch {row['epoch']}; lower classifier.training.learning_rate in the config"
        )


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
        "metrics": summarise(validation.truth, validation.logits, trial["top_k"]),
    }


def write_model(path: str | Path, trained: Trained, digests: dict[str, str]) -> None:
    """Write the best epoch's weights with their recipe: classes, trial, true model, digests of code and data."""
    recipe = {"classes": trained.validation.classes, "trial": trained.trial, "model": trained.model, **digests}
    write_weights(path, trained.weights, recipe)


def write_history(path: str | Path, history: Sequence[dict[str, float]]) -> None:
    """Write one row per epoch as TSV. Rates are in the log alone: this file is the same for every run."""
    rows = [[f"{row[column]:.8g}" for column in HISTORY_COLUMNS] for row in history]
    write_text(path, "".join("\t".join(row) + "\n" for row in [HISTORY_COLUMNS, *rows]))


def untrained_classes(classes: Sequence[str], labels: np.ndarray) -> list[int]:
    """Classes that no training image has: they can be tested, but never be found."""
    return np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 0).tolist()


def make_optimizer(model: nn.Module, training: dict[str, Any]) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum (table 4, released code) or AdamW (A7.3.3)."""
    if training["optimizer"] == "adamw":
        return torch.optim.AdamW(
            model.parameters(), lr=training["learning_rate"], weight_decay=training["weight_decay"]
        )
    return torch.optim.SGD(
        model.parameters(),
        lr=training["learning_rate"],
        momentum=training["momentum"],
        nesterov=training["momentum"] > 0,
        weight_decay=training["weight_decay"],
    )


def _make_model(trial: dict[str, Any], classes: int, weights: Path | None) -> tuple[nn.Module, dict[str, Any]]:
    """The model before training, and its description."""
    backbone = trial["backbone_settings"]
    if weights is not None:
        backbone = with_published_settings(backbone, weights)
    model = build_classifier(backbone, classes, trial["training"]["crop"])
    if weights is not None:
        load_backbone_weights(model, weights)
    return model, describe_model(backbone, model)


def _copy(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights as they are now, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
