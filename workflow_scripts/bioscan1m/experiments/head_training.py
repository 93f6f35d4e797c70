"""Train the last layer of a network on the features of its frozen trunk: seconds where the whole network takes hours.

Batches and learning rates are those of a training of the whole network, and so are the weights that the head starts
with. Crops are central, and no image is mirrored. It learns on the CPU, where the same settings give the same bytes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from bioscan1m.experiments.batch_order import EpochBatches
from bioscan1m.experiments.classifiers import head_layer, start_classifier
from bioscan1m.experiments.features import Features, read_features
from bioscan1m.experiments.losses import focal_loss
from bioscan1m.experiments.optimization import EpochLoss, learning_rate, loss_is_no_number, make_optimizer
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.process_group import ALONE
from bioscan1m.experiments.settings import TrialSettings
from bioscan1m.experiments.trained import Trained, outcome_of
from bioscan1m.experiments.trained_classifier import Skipped
from bioscan1m.experiments.training_data import LabelledImages, read_split
from bioscan1m.experiments.training_history import TrainingHistory, describe_epoch, describe_speed
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.device import prepare_device


def train_head(features: str | Path, split: str | Path, weights: Sequence[str | Path], trial: TrialSettings) -> Trained:
    """Train the last layer of a trial's classifier.

    Args:
        features: the table of the features of all images of the split.
        split: the table of image_file, label and role.
        weights: the files of the folder of pretrained weights that made the features.
        trial: the settings.

    Returns:
        The outcome, with the weights of the whole network: the trunk as it was, and the head of the best epoch.

    Raises:
        InputError: input does not fit, a loss is no number, or no image of a role can be read.
    """
    return HeadTrainer(features, split, weights, trial).run()


class HeadTrainer:
    """A last layer in training: its data, and how far it has come."""

    def __init__(
        self, features: str | Path, split: str | Path, weights: Sequence[str | Path], trial: TrialSettings
    ) -> None:
        """As `train_head`."""
        self._trial, self._history = trial, TrainingHistory()
        training = trial.training
        prepare_device(training.threads, trial.seed)
        self._classes, self._images = read_split(split)
        table = read_features(features)
        self._train, self._validation = (
            RoleFeatures(table, self._images[role], role, features) for role in ("train", "validation")
        )
        folder = Path(weights[0]).parent
        self._model, self._described = start_classifier(trial.network, len(self._classes), training.crop, folder)
        self._head = head_layer(self._model)
        self._optimizer = make_optimizer(self._head, training)
        self._order = EpochBatches(len(self._train), training.batch_size, seed=trial.seed)

    def run(self) -> Trained:
        """Train until the last epoch, or until `patience` of them after the last step have brought none better."""
        self._history.skipped = {"train": self._train.skipped, "validation": self._validation.skipped}
        while not self._history.is_over(self._trial.training):
            self._train_and_validate(len(self._history) + 1)
            self._history.log(self._trial.training.epochs)
        return outcome_of(self._history, self._trial, self._described, self._classes, self._images["train"])

    def _train_and_validate(self, epoch: int) -> None:
        """One epoch: its row of the history and of the speed, and the weights if it is the best so far."""
        rate, started, where = learning_rate(self._trial.training, epoch), time.perf_counter(), f"in epoch {epoch}"
        try:
            train_loss = self._train_epoch(epoch, rate)
            trained, where = time.perf_counter(), f"on the validation images after epoch {epoch}"
            validation = self._validate()
            validated = time.perf_counter()
            row = describe_epoch(
                epoch=epoch, rate=rate, train_loss=train_loss, validation=validation, gamma=self._trial.gamma
            )
        except FloatingPointError:
            raise loss_is_no_number(self._trial, where, rate) from None
        self._history.speed.append(describe_speed(epoch, self._images, trained - started, validated - trained))
        self._history.add(row, validation, self._weights)

    def _train_epoch(self, epoch: int, rate: float) -> float:
        """One pass over the training images: the mean loss."""
        self._order.epoch = epoch
        for parameters in self._optimizer.param_groups:
            parameters["lr"] = rate
        losses = EpochLoss(ALONE)
        for keys in self._order:
            places = torch.tensor([place for place, _ in keys])
            labels = self._train.labels[places]
            loss = focal_loss(self._head(self._train.vectors[places]), labels, self._trial.gamma)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            losses.add(loss.detach() * len(labels), len(labels))
        return losses.mean()

    @torch.no_grad()
    def _validate(self) -> Predictions:
        """Predictions for all validation images that can be read."""
        own = self._validation
        return Predictions(self._classes, own.image_files, own.labels.numpy(), self._head(own.vectors).numpy())

    def _weights(self) -> dict[str, torch.Tensor]:
        """The weights of the whole network as they are now."""
        return {name: tensor.detach().clone() for name, tensor in self._model.state_dict().items()}


class RoleFeatures:
    """The features of the images of one role, as far as these can be read, and their labels."""

    def __init__(self, features: Features, images: LabelledImages, role: str, source: str | Path) -> None:
        """Raises InputError where no image can be read, or the features, from `source`, are of other images."""
        place = {name: row for row, name in enumerate(features.image_files)}
        if unknown := [name for name in images.image_files if name not in place and name not in features.skipped]:
            raise InputError(
                f"{source}: no features of {len(unknown)} images, as {unknown[0]}; remove it and run again"
            )
        read = [number for number, name in enumerate(images.image_files) if name in place]
        self.image_files = [images.image_files[number] for number in read]
        self.skipped: Skipped = [
            {"image_file": name, "reason": features.skipped[name]} for name in images.image_files if name not in place
        ]
        if not read:
            raise InputError(f"none of {len(images)} {role} images can be read; the first: {self.skipped[0]}")
        rows = [place[name] for name in self.image_files]
        self.vectors = torch.from_numpy(features.vectors[rows])
        self.labels = torch.from_numpy(images.labels[np.array(read)])

    def __len__(self) -> int:
        return len(self.labels)
