"""What a pass over a batch computes, its logits or its loss from its pixels; on a GPU it is launched as a whole.

A step of ResNet-50 on 32 images is a thousand kernels, which an H200 runs in 9 ms and a CPU launches in 30. As CUDA
graphs, the forward and the backward pass are launched once each.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import copy

import torch
from torch import distributed, nn

from bioscan1m.device import mixed_precision
from bioscan1m.experiments.batches import Channels, to_network_input
from bioscan1m.experiments.classifiers import class_logits
from bioscan1m.experiments.losses import focal_loss

logger = logging.getLogger(__name__)


class BatchLogits(nn.Module):
    """The logits of a batch by a model, which may be wrapped for several processes."""

    def __init__(self, model: nn.Module, channels: Channels, precision: str) -> None:
        """`channels` are those that the model is used to, `precision` is as in device.py."""
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


def launched_as_a_whole(compute: BatchLogits | BatchLoss, *inputs: Sequence[int]) -> nn.Module:
    """The same as CUDA graphs, for inputs of just these shapes: pixels, and labels where it takes them.

    On a CPU, among several processes, for a model with hooks (they would not be called) and for one whose kernels
    depend on what it computes, it is `compute` itself. Gradients of a pass lie where the next one's will, so that they
    can not be added up over passes. No batches may be under way to the GPU meanwhile.
    """
    device = next(compute.parameters()).device
    if device.type == "cpu" or distributed.is_initialized() or _has_hooks(compute):
        return compute
    samples = tuple(
        torch.zeros(*shape, dtype=dtype, device=device)
        for shape, dtype in zip(inputs, (torch.uint8, torch.int64), strict=False)
    )
    learned = [buffer.clone() for buffer in compute.buffers()]
    graphs = copy(compute)  # of the same model: torch changes the module that it captures
    # Capturing has a stream of its own, and what adds the gradients up stays on it: no reason to warn.
    torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)
    try:
        # A backbone may have weights without a part in the logits, such as a pooler's.
        torch.cuda.make_graphed_callables(graphs, samples, allow_unused_input=True)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        logger.info("the kernels of the network are launched one by one: %s", str(error).splitlines()[0])
        graphs = compute
    for buffer, value in zip(compute.buffers(), learned, strict=True):
        buffer.copy_(value)  # batch norm has learned from the black images
    return graphs


def _has_hooks(module: nn.Module) -> bool:
    return any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
