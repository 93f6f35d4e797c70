"""The logits and the loss of a batch, from its pixels."""

from __future__ import annotations

import torch
from torch import nn

from bioscan1m.experiments.classifiers import class_logits
from bioscan1m.experiments.losses import focal_loss
from bioscan1m.experiments.network_input import to_network_input
from bioscan1m.networks.channels import Channels
from bioscan1m.networks.device import mixed_precision


class BatchLogits(nn.Module):
    """The logits of a batch by a model, which may be wrapped for several processes."""

    def __init__(self, model: nn.Module, channels: Channels, precision: str) -> None:
        """Wrap a model.

        Args:
            model: a classifier of either library.
            channels: those that it was trained on.
            precision: auto, float32 or bfloat16, as in `mixed_precision`.
        """
        super().__init__()
        self._model, self._channels, self._precision = model, channels, precision

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """float32 (N, classes) of uint8 pixels (N, crop, crop, 3) on the model's device."""
        with mixed_precision(images.device, self._precision):
            return class_logits(self._model, to_network_input(images, images.device, self._channels)).float()


class BatchLoss(nn.Module):
    """The mean loss of a batch."""

    def __init__(self, logits: BatchLogits, gamma: float) -> None:
        """`gamma` is that of the focal loss."""
        super().__init__()
        self._logits, self._gamma = logits, gamma

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """A number, of pixels as `BatchLogits` takes them, and class indices (N,)."""
        return focal_loss(self._logits(images), labels, self._gamma)
