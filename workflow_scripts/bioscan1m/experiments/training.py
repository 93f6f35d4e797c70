"""Train one classifier: the loop of the paper (4.3 and table 4), with the best weights by validation accuracy.

A trial knows nothing of the others: its parameters, the package and the split are all that it reads. On the CPU the
same parameters give the same bytes. An epoch depends on the seed, its number and the state before it alone, so that a
training that was killed goes on after its last epoch as if it had not stopped.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bioscan1m.device import prepare_device, to_device
from bioscan1m.device_memory import too_little_memory, within_memory
from bioscan1m.errors import InputError
from bioscan1m.experiments.batches import DATASET_CHANNELS, Batch, Batches
from bioscan1m.experiments.classifiers import start_classifier
from bioscan1m.experiments.data_parallel import ALONE, Group, run_together
from bioscan1m.experiments.optimization import EpochLoss, learning_rate, make_optimizer
from bioscan1m.experiments.passes import BatchLogits, BatchLoss, Computation
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.trained import Trained
from bioscan1m.experiments.trained_classifier import Skipped, name_skipped, predict
from bioscan1m.experiments.training_data import read_split
from bioscan1m.experiments.training_history import TrainingHistory, describe_epoch
from bioscan1m.progress import Progress
from bioscan1m.training_state import TrainingState

logger = logging.getLogger(__name__)


def train(
    package: str | Path,
    split: str | Path,
    weights: Sequence[str | Path],
    trial: dict[str, Any],
    kept: TrainingState,
) -> Trained:
    """Train the classifier of a trial, by as many processes as its config says; go on from the state that was kept.

    `weights` are the files of a folder of pretrained weights, empty for a backbone that starts from nothing. `trial`
    has experiment, backbone, loss, seed, backbone_settings (library, name, settings), loss_settings (gamma), and
    training (the config's). Raises InputError for input that does not fit, for a loss that is no number, for too
    little memory, and for a role of which no image can be read; what was kept before stays.
    """
    return run_together(trial["training"]["processes"], _train_along, (package, split, weights, trial, kept))


def _train_along(group: Group, *arguments: Any) -> Trained:
    return Trainer(*arguments, group).run()


class Trainer:
    """One classifier in training: its network, its optimizer, its data, and how far it has come."""

    def __init__(
        self,
        package: str | Path,
        split: str | Path,
        weights: Sequence[str | Path],
        trial: dict[str, Any],
        kept: TrainingState,
        group: Group = ALONE,
    ) -> None:
        """As `train`; `group` are the processes that train together."""
        training = trial["training"]
        self._trial, self._kept, self._group = trial, kept, group
        self._name = f"{trial['experiment']}, {trial['backbone']}_{trial['loss']}, seed {trial['seed']}"
        self._device = prepare_device(training["threads"], trial["seed"], training["deterministic"])
        self._classes, self._images = read_split(split)
        self._train_batches = Batches(package, self._images["train"], training, trial["seed"], group)
        self._own_validation = self._images["validation"].share(group)
        self._validation_batches = Batches(package, self._own_validation, training)
        folder = Path(weights[0]).parent if weights else None
        backbone, crop = trial["backbone_settings"], training["crop"]
        self._model, self._described = start_classifier(backbone, len(self._classes), crop, folder)
        to_device(self._model, self._device)
        if training["compile"]:
            self._model.compile()
        self._shared = group.share(self._model)
        self._loss: BatchLoss | Computation = self._loss_by(self._shared)
        self._optimizer = make_optimizer(self._model, training)
        self._history = TrainingHistory()

    def run(self) -> Trained:
        """Train until the last epoch, or until `patience` of them have brought none that is better."""
        self._resume()
        within_memory(self._train, self._too_little_memory)
        return self._outcome()

    def _train(self) -> None:
        self._capture()
        training, done = self._trial["training"], len(self._history)
        images_per_epoch = len(self._images["train"]) + len(self._images["validation"])
        left = (training["epochs"] - done) * images_per_epoch // self._group.size
        self._progress = Progress("training", left)
        while not self._history.is_over(training):
            self._train_and_validate(len(self._history) + 1)
            if self._group.rank == 0:
                self._keep()
                self._history.log(training["epochs"])

    def _train_and_validate(self, epoch: int) -> None:
        """One epoch: its row of the history and of the speed, and its weights if it is the best so far."""
        rate, started = learning_rate(self._trial["training"], epoch), time.perf_counter()
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        train_loss, train_skipped = self._train_epoch(epoch, rate)
        trained = time.perf_counter()
        validation, validation_skipped = self._validate()
        validated = time.perf_counter()
        try:
            row = describe_epoch(epoch, rate, train_loss, validation, self._trial["loss_settings"]["gamma"])
        except FloatingPointError:
            raise self._went_astray(f"on the validation images after epoch {epoch}", rate) from None
        self._history.skipped = {"train": train_skipped, "validation": validation_skipped}
        self._history.speed.append(self._describe_speed(epoch, trained - started, validated - trained))
        self._history.add(row, validation, lambda: _copy(self._model))

    def _outcome(self) -> Trained:
        history, best = self._history, self._history.best
        return Trained(
            self._trial,
            self._described,
            self._images["train"],
            history.learned,
            history.speed,
            best.epoch,
            best.weights,
            Predictions(self._classes, best.image_files, best.truth.numpy(), best.logits.numpy()),
            history.skipped,
        )

    def _train_epoch(self, epoch: int, rate: float) -> tuple[float, Skipped]:
        """One pass over the training images: the mean loss, and the images that could not be read."""
        torch.manual_seed(_seed(self._trial["seed"], epoch, self._group.rank))  # of dropout
        self._shared.train()
        self._train_batches.order.epoch = epoch
        losses, skipped = EpochLoss(self._group), []
        passes = iter(self._train_batches)
        try:
            for batches in zip(*[passes] * self._trial["training"]["accumulation"], strict=True):
                self._step(batches, losses)
                skipped += [pair for batch in batches for pair in batch.skipped]
                self._progress.advance(sum(len(batch.labels) + len(batch.skipped) for batch in batches))
            skipped = [pair for pairs in self._group.gather(skipped) for pair in pairs]
            named = name_skipped(self._images["train"], sorted(skipped))
            if not losses.images:
                raise InputError(f"none of {len(named)} training images can be read; the first: {named[0]}")
            return losses.mean(), named
        except FloatingPointError as step:
            raise self._went_astray(f"in epoch {epoch}, step {step}", rate) from None

    def _step(self, batches: Sequence[Batch], losses: EpochLoss) -> None:
        """One step of the optimizer over the passes of this process and those of the others.

        Each image counts the same, however the images of the step are shared out among processes and passes.
        """
        own = sum(len(batch.labels) for batch in batches)
        images = int(self._group.total(torch.tensor(own)))  # on the CPU: it need not wait for a GPU
        if not images:
            return
        self._optimizer.zero_grad()
        loss_sum = torch.zeros((), device=self._device)
        for place, batch in enumerate(batches, start=1):
            apart = place < len(batches) and self._group.size > 1
            with self._shared.no_sync() if apart else nullcontext():
                loss_sum += self._pass(batch, images)
        self._optimizer.step()
        losses.add(loss_sum, own)

    def _pass(self, batch: Batch, images: int) -> torch.Tensor:
        """Add the gradient of a batch's part in a step of `images` images; the sum of its losses, on the device."""
        pixels, labels = batch.images, batch.labels
        if empty := not len(labels):
            if self._group.size == 1:
                return torch.zeros((), device=self._device)
            # The others wait for this process: it has a part of no weight.
            pixels, labels = torch.zeros(1, *self._train_batches.shape[1:], dtype=torch.uint8), np.zeros(1, np.int64)
        loss = self._loss(self._on_device(pixels), self._on_device(torch.from_numpy(labels)))
        weight = 0 if empty else len(labels)
        (loss * (weight * self._group.size / images)).backward()  # the processes' gradients are averaged
        return loss.detach() * weight

    def _on_device(self, values: torch.Tensor) -> torch.Tensor:
        return values.to(self._device, non_blocking=True)

    def _capture(self) -> None:
        """Make ready to compute whole batches at once; not where their gradients are added up."""
        self._model.train()
        whole = self._train_batches.shape
        if self._trial["training"]["accumulation"] == 1:
            self._loss = Computation(self._loss, whole, whole[:1])
        self._model.eval()
        with torch.no_grad():
            self._logits = Computation(self._logits_by(self._model), self._validation_batches.shape)

    def _loss_by(self, model: nn.Module) -> BatchLoss:
        return BatchLoss(self._logits_by(model), self._trial["loss_settings"]["gamma"])

    def _logits_by(self, model: nn.Module) -> BatchLogits:
        return BatchLogits(model, DATASET_CHANNELS, self._trial["training"]["precision"])

    def _validate(self) -> tuple[Predictions, Skipped]:
        """Predictions for all validation images, of which each process sees its share, and those it cannot read."""
        self._group.align_buffers(self._model)
        found = predict(self._logits, self._validation_batches, self._own_validation, self._classes, self._progress)
        parts, skipped = zip(*self._group.gather(found), strict=True)
        image_files = [image_file for part in parts for image_file in part.image_files]
        truth, logits = (np.concatenate([getattr(part, name) for part in parts]) for name in ("truth", "logits"))
        return Predictions(self._classes, image_files, truth, logits), [row for rows in skipped for row in rows]

    def _describe_speed(self, epoch: int, training: float, validation: float) -> dict[str, float]:
        """A row of the speed, from the seconds of both parts of an epoch."""
        return {
            "epoch": epoch,
            "train_seconds": training,
            "train_images_per_second": len(self._images["train"]) / training,
            "validation_images_per_second": len(self._images["validation"]) / validation,
        }

    def _keep(self) -> None:
        state = {
            "history": self._history.state(),
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        self._kept.save(state)

    def _resume(self) -> None:
        """Take over the state that was kept, if any."""
        state = self._kept.load()
        self._group.gather(None)  # the first process removes the state in the end: not before all have read it
        if state is None:
            return
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._history = TrainingHistory.of_state(state["history"])
        logger.info("going on after epoch %d of %d", len(self._history), self._trial["training"]["epochs"])

    def _went_astray(self, where: str, rate: float) -> InputError:
        return InputError(
            f"{self._name}: the loss is no number {where}, at a learning rate of {rate:g}; lower "
            "classifier.training.learning_rate in the config, for this experiment alone under classifier.overrides"
        )

    def _too_little_memory(self) -> InputError:
        images, crop, *_ = self._train_batches.shape
        self._loss, self._logits = self._loss_by(self._model), None  # without the memory of graphs

        def run(images: int) -> None:
            self._optimizer.zero_grad()
            pixels = torch.zeros(images, crop, crop, 3, dtype=torch.uint8, device=self._device)
            self._loss(pixels, torch.zeros(images, dtype=torch.int64, device=self._device)).backward()

        def advice(fitting: int) -> str:
            passes = math.ceil(self._trial["training"]["batch_size"] / (self._group.size * fitting))
            return f"set classifier.training.accumulation in the config to {passes}, the passes of a step"

        self._model.eval()  # batch norm would wait for the other processes
        return too_little_memory(self._name, images, f"{crop}", run, advice, "backbone or crop")


def _copy(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights as they are now, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
