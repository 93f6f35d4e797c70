"""What a pass over a batch computes, its logits or its loss from its pixels; on a GPU it is launched as a whole.

A step of ResNet-50 on 32 images is a thousand kernels, which an H200 runs in 9 ms and a CPU launches in 30. As CUDA
graphs, the forward and the backward pass are launched once each.
"""

from __future__ import annotations

import gc
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


class Computation:
    """What is computed of batches: of whole ones as CUDA graphs where that can be, of others kernel by kernel."""

    def __init__(self, compute: BatchLogits | BatchLoss, *shapes: Sequence[int]) -> None:
        """`shapes` are those of a whole batch: of its pixels, and of its labels where they are wanted.

        It is captured as it is now: in training or not, with gradients or without. Gradients of a pass lie where the
        next one's will, so that they can not be added up over passes. No batches may be under way to the GPU meanwhile.
        """
        self.compute, self._images = compute, shapes[0][0]
        self._whole = _captured(compute, shapes) if _can_be_captured(compute) else compute

    def __call__(self, images: torch.Tensor, *labels: torch.Tensor) -> torch.Tensor:
        """As the module computes it; of a whole batch it stays only until the next one."""
        compute = self._whole if len(images) == self._images else self.compute
        return compute(images, *labels)


def _can_be_captured(compute: nn.Module) -> bool:
    """On a GPU, by one process alone, without hooks, which would not be called."""
    on_gpu = next(compute.parameters()).is_cuda
    hooks = any(part._forward_hooks or part._forward_pre_hooks for part in compute.modules())
    return on_gpu and not distributed.is_initialized() and not hooks


def _captured(compute: BatchLogits | BatchLoss, shapes: Sequence[Sequence[int]]) -> nn.Module:
    """The module as CUDA graphs; itself, if its kernels depend on what it computes, or if memory is too small for both.

    The graphs keep the memory of a whole batch, so that one of another size has to fit beside them.
    """
    device = next(compute.parameters()).device
    samples = tuple(
        torch.zeros(*shape, dtype=dtype, device=device)
        for shape, dtype in zip(shapes, (torch.uint8, torch.int64), strict=False)
    )
    learned = [buffer.clone() for buffer in compute.buffers()]
    graphs = copy(compute)  # of the same model: torch changes the module that it captures
    # Capturing has a stream of its own, and what adds the gradients up stays on it: no reason to warn.
    torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)
    gc.collect()  # graphs that nobody needs any more refer to themselves
    try:
        with torch.cuda.stream(torch.cuda.current_stream()):  # which is so again after a failure
            # A backbone may have weights without a part in the logits, such as a pooler's.
            torch.cuda.make_graphed_callables(graphs, samples, allow_unused_input=True)
        _try(compute, [sample[1:] for sample in samples])
    except RuntimeError as error:
        cause = error.__context__ or error  # to end a capture that has failed is an error of its own
        logger.info("the kernels of the network are launched one by one: %.200r", cause)
        graphs = compute
    if graphs is compute:  # here, where the error no longer holds what it has of the memory
        gc.collect()
        torch.cuda.empty_cache()
    for buffer, value in zip(compute.buffers(), learned, strict=True):
        buffer.copy_(value)  # batch norm has learned from the black images
    return graphs


def _try(compute: nn.Module, inputs: Sequence[torch.Tensor]) -> None:
    """A pass kernel by kernel, and back where there are gradients."""
    if len(inputs[0]) > 1:  # batch norm needs two
        result = compute(*inputs)
        if result.requires_grad:
            weights = [weight for weight in compute.parameters() if weight.requires_grad]
            torch.autograd.grad(result, weights, allow_unused=True)
