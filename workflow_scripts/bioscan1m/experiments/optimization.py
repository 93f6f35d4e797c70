"""What a step of training is made of besides the network: the optimizer, its learning rate, and what can go wrong."""

from __future__ import annotations

import math

import torch
from torch import nn

from bioscan1m.experiments.process_group import Group
from bioscan1m.experiments.settings import TrainingSettings, TrialSettings
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.training_state import State

# Looking at a loss waits for the device, so it is done once in so many steps.
STEPS_BETWEEN_CHECKS = 100


def make_optimizer(model: nn.Module, training: TrainingSettings) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum (table 4, released code) or AdamW (A7.3.3)."""
    rate, decay = training.learning_rate, training.weight_decay
    if training.optimizer == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    momentum = training.momentum
    return torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum, nesterov=momentum > 0, weight_decay=decay)


def learning_rate(training: TrainingSettings, epoch: int) -> float:
    """The rate of an epoch, counted from 1: by steps as released (x 0.1 after epochs 20 and 25), or half a cosine."""
    done = epoch - 1
    if training.learning_rate_decay == "cosine":
        return training.learning_rate * (1 + math.cos(math.pi * done / training.epochs)) / 2
    steps = sum(done >= step for step in training.learning_rate_steps)
    return training.learning_rate * training.learning_rate_factor**steps


class EpochLoss:
    """The losses of an epoch's steps over all processes; they stay on the device until they are looked at."""

    def __init__(self, group: Group, steps: int = 0, images: int = 0, sum: float = 0.0) -> None:
        """Begin with no losses, or go on from the values of `state`."""
        self._group = group
        self._unseen: list[torch.Tensor] = []
        self._steps, self._images, self._sum = steps, images, sum

    def state(self) -> State:
        """Steps, images and the sum of their losses so far. Raises FloatingPointError as `add` does."""
        self.look()
        return {"steps": self._steps, "images": self._images, "sum": self._sum}

    def add(self, loss_sum: torch.Tensor, images: int) -> None:
        """Note this process's sum of the losses of a step's images, and their number.

        Raises FloatingPointError with the step's number where a loss is no number; at the latest `mean` does.
        """
        self._unseen.append(torch.stack([loss_sum, torch.full_like(loss_sum, images)]))
        if len(self._unseen) == STEPS_BETWEEN_CHECKS:
            self.look()

    def mean(self) -> float:
        """Over all images of the epoch; there must be some."""
        self.look()
        return self._sum / self._images

    @property
    def images(self) -> int:
        """Images so far, over all processes."""
        self.look()
        return self._images

    def look(self) -> None:
        """Add up what came since the last look. Raises FloatingPointError as `add` does."""
        if not self._unseen:
            return
        sums, images = self._group.total(torch.stack(self._unseen)).double().unbind(1)
        if not sums.isfinite().all():
            raise FloatingPointError(self._steps + int((~sums.isfinite()).nonzero()[0]) + 1)
        self._steps += len(self._unseen)
        self._images += int(images.sum())
        for loss in sums.tolist():  # one by one: the sum is the same to the bit however often it was looked at
            self._sum += loss
        self._unseen.clear()


def loss_is_no_number(trial: TrialSettings, where: str, rate: float) -> InputError:
    """What ends a training whose loss is no number there, at this learning rate."""
    return InputError(
        f"{trial.title}: the loss is no number {where}, at a learning rate of {rate:g}; lower "
        "classifier.training.learning_rate in the config, for this experiment alone under classifier.overrides"
    )
