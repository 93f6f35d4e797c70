"""The two losses of the paper (4.3): cross-entropy and focal loss, one formula with gamma."""

from __future__ import annotations

import torch
from torch.nn import functional


def focal_loss(logits: torch.Tensor, labels: torch.Tensor, gamma: float) -> torch.Tensor:
    """Mean of (1 - p)^gamma * -log(p), p being the probability of the true class (Lin et al. 2017, equation 4).

    Args:
        logits: (N, classes) of any floating type, taken as float32.
        labels: (N,) class indices.
        gamma: 0 is cross-entropy exactly.

    Returns:
        A float32 number.
    """
    if gamma == 0:
        return functional.cross_entropy(logits.float(), labels)
    cross_entropy = functional.cross_entropy(logits.float(), labels, reduction="none")
    # 1 - p without loss of digits; above 0, where a gamma below 1 has no finite gradient.
    distance = (-torch.expm1(-cross_entropy)).clamp(min=torch.finfo(torch.float32).eps)
    return (distance**gamma * cross_entropy).mean()
