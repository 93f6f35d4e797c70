"""How far a training has come: what each epoch brought, and the best of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass, field

import torch

from bioscan1m.experiments.losses import focal_loss
from bioscan1m.experiments.metrics import classification_metrics, macro_top_k_accuracy, top_k_accuracy
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.settings import TrainingSettings
from bioscan1m.experiments.trained_classifier import Skipped
from bioscan1m.networks.training_state import State

logger = logging.getLogger(__name__)

LAST_EPOCH_TOP_K = (1, 5)  # as in table A6


@dataclass
class Best:
    """The epoch with the highest micro top-1 accuracy on the validation images; of several that with the lowest loss.

    Where validation images are few, many epochs have the same accuracy, and the first of them is often the worst.
    """

    epoch: int
    weights: dict[str, torch.Tensor]
    image_files: list[str]
    truth: torch.Tensor
    logits: torch.Tensor


@dataclass
class TrainingHistory:
    """By epoch what was learned and how fast it went; by role the images that cannot be read; and the best epoch."""

    learned: list[dict[str, float]] = field(default_factory=list)
    speed: list[dict[str, float]] = field(default_factory=list)
    skipped: dict[str, Skipped] = field(default_factory=dict)
    best: Best | None = None
    last_metrics: dict[str, float] = field(default_factory=dict)  # of the validation images after the last epoch

    def __len__(self) -> int:
        return len(self.learned)

    def is_over(self, training: TrainingSettings) -> bool:
        """Whether all epochs are done, or `patience` of them since the last step of the rate brought none better."""
        best = self.best.epoch if self.best else len(self)
        waited = len(self) - max(best, training.last_step)
        return len(self) >= training.epochs or waited >= training.patience

    def add(
        self, row: dict[str, float], validation: Predictions, weights: Callable[[], dict[str, torch.Tensor]]
    ) -> None:
        """Add an epoch, and take over its weights if it is the best so far.

        Args:
            row: of `describe_epoch`.
            validation: the predictions for the validation images.
            weights: copies the weights.
        """
        self.learned.append(row)
        self.last_metrics = classification_metrics(validation.truth, validation.logits, LAST_EPOCH_TOP_K)
        if self.best is None or _merit(row) > _merit(self.learned[self.best.epoch - 1]):
            truth, logits = torch.from_numpy(validation.truth), torch.from_numpy(validation.logits)
            self.best = Best(
                epoch=len(self),
                weights=weights(),
                image_files=validation.image_files,
                truth=truth,
                logits=logits,
            )

    def log(self, epochs: int) -> None:
        """Log the last epoch's row and speed, of `epochs` epochs."""
        row, speed = self.learned[-1], self.speed[-1]["train_images_per_second"]
        described = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        logger.info("epoch %d of %d: %s, %.1f images/s", row["epoch"], epochs, described, speed)

    def state(self) -> State:
        """Plain values and tensors, to be saved."""
        return {**vars(self), "best": self.best and vars(self.best)}

    @classmethod
    def of_state(cls, state: State) -> TrainingHistory:
        """The history of which this is the `state`."""
        return cls(**{**state, "best": state["best"] and Best(**state["best"])})


def _merit(row: dict[str, float]) -> tuple[float, float]:
    return row["micro_top1"], -row["validation_loss"]


def describe_epoch(
    epoch: int, rate: float, train_loss: float, validation: Predictions, gamma: float
) -> dict[str, float]:
    """Make the row of an epoch.

    Args:
        epoch: counted from 1.
        rate: the learning rate.
        train_loss: the mean over the training images.
        validation: the predictions for the validation images.
        gamma: of the focal loss.

    Returns:
        Values by the columns of history.tsv.

    Raises:
        FloatingPointError: the validation loss is no number.
    """
    truth, logits = validation.truth, validation.logits
    row = {
        "epoch": epoch,
        "learning_rate": rate,
        "train_loss": train_loss,
        "validation_loss": focal_loss(torch.from_numpy(logits), torch.from_numpy(truth), gamma).item(),
        "micro_top1": top_k_accuracy(truth, logits, 1),
        "macro_top1": macro_top_k_accuracy(truth, logits, 1),
    }
    if not math.isfinite(row["validation_loss"]):
        raise FloatingPointError
    return row


def describe_speed(epoch: int, images: Mapping[str, Sized], training: float, validation: float) -> dict[str, float]:
    """A row of speed.tsv.

    Args:
        epoch: counted from 1.
        images: those of each role.
        training: seconds over the training images.
        validation: seconds over the validation images.

    Returns:
        Values by the columns of speed.tsv.
    """
    return {
        "epoch": epoch,
        "train_seconds": training,
        "train_images_per_second": len(images["train"]) / training,
        "validation_images_per_second": len(images["validation"]) / validation,
    }
