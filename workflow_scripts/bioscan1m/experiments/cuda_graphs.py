"""On a GPU, the forward and the backward pass over a whole batch are launched once each, as CUDA graphs.

A step of ResNet-50 on 32 images is a thousand kernels, which an H200 runs in 9 ms and a CPU launches in 30.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Sequence
from copy import copy

import torch
from torch import distributed, nn

from bioscan1m.experiments.passes import BatchLogits, BatchLoss

logger = logging.getLogger(__name__)


class Computation:
    """Computes logits or a loss: of whole batches as CUDA graphs where that is possible, of others kernel by kernel."""

    def __init__(self, compute: BatchLogits | BatchLoss, *shapes: Sequence[int]) -> None:
        """Capture the computation as it is now: in training or not, with gradients or without.

        Gradients of a pass lie where the next one's will, so that they cannot be added up over passes. No batches may
        be under way to the GPU meanwhile.

        Args:
            compute: the module.
            shapes: those of a whole batch: of its pixels (N, crop, crop, 3), and (N,) of its labels for a loss.
        """
        self.compute, self._images = compute, shapes[0][0]
        self._whole = _captured(compute, shapes) if _can_be_captured(compute) else compute

    def __call__(self, images: torch.Tensor, *labels: torch.Tensor) -> torch.Tensor:
        """The result of the module; that of a whole batch is valid only until the next one."""
        compute = self._whole if len(images) == self._images else self.compute
        return compute(images, *labels)


def _can_be_captured(compute: nn.Module) -> bool:
    """On a GPU, by one process alone, without hooks, which would not be called."""
    on_gpu = next(compute.parameters()).is_cuda
    hooks = any(part._forward_hooks or part._forward_pre_hooks for part in compute.modules())
    return on_gpu and not distributed.is_initialized() and not hooks


def _captured(compute: nn.Module, shapes: Sequence[Sequence[int]]) -> nn.Module:
    """The module as CUDA graphs; itself, if its kernels depend on what it computes, or if memory is too small for both.

    The graphs keep the memory of a whole batch, so that one of another size has to fit beside them.
    """
    learned = [buffer.clone() for buffer in compute.buffers()]
    gc.collect()  # graphs that nobody needs any more refer to themselves
    try:
        graphs = _capture(compute, shapes)
    except RuntimeError as error:
        cause = error.__context__ or error  # to end a capture that has failed is another error
        logger.info("the kernels of the network are launched one by one: %.200r", cause)
        graphs = compute
    if graphs is compute:  # here, where the error no longer holds what it has of the memory
        gc.collect()
        torch.cuda.empty_cache()
    for buffer, value in zip(compute.buffers(), learned, strict=True):
        buffer.copy_(value)  # batch norm has learned from the black images
    return graphs


def _capture(compute: nn.Module, shapes: Sequence[Sequence[int]]) -> nn.Module:
    """CUDA graphs of the module, with room beside them for a smaller batch. Raises RuntimeError where that fails."""
    device = next(compute.parameters()).device
    samples = tuple(
        torch.zeros(*shape, dtype=dtype, device=device)
        for shape, dtype in zip(shapes, (torch.uint8, torch.int64), strict=False)
    )
    graphs = copy(compute)  # of the same model: torch changes the module that it captures
    # Capturing uses a separate stream, and what adds the gradients up stays on it: no reason to warn.
    torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)
    with torch.cuda.stream(torch.cuda.current_stream()):  # which is so again after a failure
        # A backbone may have weights without a part in the logits, such as a pooler's.
        torch.cuda.make_graphed_callables(graphs, samples, allow_unused_input=True)
    _try(compute, [sample[1:] for sample in samples])
    return graphs


def _try(compute: nn.Module, inputs: Sequence[torch.Tensor]) -> None:
    """A pass kernel by kernel, and back where there are gradients."""
    if len(inputs[0]) > 1:  # batch norm needs two
        result = compute(*inputs)
        if result.requires_grad:
            weights = [weight for weight in compute.parameters() if weight.requires_grad]
            torch.autograd.grad(result, weights, allow_unused=True)
