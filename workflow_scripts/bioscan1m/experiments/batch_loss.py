"""What a pass of training computes: the loss of a batch, from its pixels; on a GPU it is launched as a whole.

A step of ResNet-50 on 32 images is a thousand kernels, which an H200 runs in 9 ms and a CPU launches in 24. As CUDA
graphs, the forward and the backward pass are launched once each.
"""

from __future__ import annotations

import torch
from torch import nn

from bioscan1m.device import mixed_precision
from bioscan1m.experiments.batches import DATASET_CHANNELS, to_network_input
from bioscan1m.experiments.classifiers import class_logits
from bioscan1m.experiments.losses import focal_loss


class BatchLoss(nn.Module):
    """The mean loss of a batch by a model that may be wrapped for several processes."""

    def __init__(self, model: nn.Module, gamma: float, precision: str) -> None:
        """`gamma` is that of the focal loss, `precision` as in device.py."""
        super().__init__()
        self.model, self._gamma, self._precision = model, gamma, precision

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Of uint8 pixels (N, crop, crop, 3) and class indices (N,), on the model's device."""
        with mixed_precision(labels.device, self._precision):
            logits = class_logits(self.model, to_network_input(images, labels.device, DATASET_CHANNELS))
        return focal_loss(logits, labels, self._gamma)

    def as_graphs(self, images: int, crop: int) -> nn.Module:
        """The same for so many images in training on a GPU, as CUDA graphs.

        Capturing runs the model on black images; what batch norm learns of them is taken back. A pass's gradients lie
        where the next one's will, so that they can not be added up over several passes.
        """
        device = next(self.parameters()).device
        black = torch.zeros(images, crop, crop, 3, dtype=torch.uint8, device=device)
        learned = [buffer.clone() for buffer in self.buffers()]
        graphs = BatchLoss(self.model, self._gamma, self._precision)
        graphs.train()
        # A backbone may have weights without a part in the logits, such as a pooler's.
        torch.cuda.make_graphed_callables(
            graphs, (black, torch.zeros(images, dtype=torch.int64, device=device)), allow_unused_input=True
        )
        for buffer, value in zip(self.buffers(), learned, strict=True):
            buffer.copy_(value)
        return graphs
