"""How far a training has come: what each epoch brought, and the best of them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from bioscan1m.experiments.losses import focal_loss
from bioscan1m.experiments.metrics import macro_top_k_accuracy, top_k_accuracy
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.trained_classifier import Skipped

logger = logging.getLogger(__name__)


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

    def __len__(self) -> int:
        return len(self.learned)

    def is_over(self, training: dict[str, Any]) -> bool:
        """Whether all epochs are done, or `patience` of them have brought none that is better."""
        done = len(self)
        return done >= training["epochs"] or bool(done and done - self.best.epoch >= training["patience"])

    def add(
        self, row: dict[str, float], validation: Predictions, weights: Callable[[], dict[str, torch.Tensor]]
    ) -> None:
        """Note the row of an epoch, and its weights if it is the best so far."""
        self.learned.append(row)
        if self.best is None or _merit(row) > _merit(self.learned[self.best.epoch - 1]):
            truth, logits = torch.from_numpy(validation.truth), torch.from_numpy(validation.logits)
            self.best = Best(len(self), weights(), validation.image_files, truth, logits)

    def log(self, epochs: int) -> None:
        """Say how the last epoch went."""
        row, speed = self.learned[-1], self.speed[-1]["train_images_per_second"]
        described = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        logger.info("epoch %d of %d: %s, %.1f images/s", row["epoch"], epochs, described, speed)

    def state(self) -> dict[str, Any]:
        """Plain values and tensors, to be kept."""
        return {name: getattr(self, name) for name in ("learned", "speed", "skipped")} | {"best": vars(self.best)}

    @classmethod
    def of_state(cls, state: dict[str, Any]) -> TrainingHistory:
        """The history that was kept as `state`."""
        return cls(**{**state, "best": Best(**state["best"])})


def _merit(row: dict[str, float]) -> tuple[float, float]:
    return row["micro_top1"], -row["validation_loss"]


def describe_epoch(
    epoch: int, rate: float, train_loss: float, validation: Predictions, gamma: float
) -> dict[str, float]:
    """A row of the history. Raises FloatingPointError where the validation loss is no number."""
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
