"""From pixels to the input of a network: float32, each channel less its mean and over its standard deviation."""

from __future__ import annotations

from functools import cache

import torch

from bioscan1m.networks.channels import Channels
from bioscan1m.networks.device import memory_format


def to_network_input(images: torch.Tensor, device: torch.device, channels: Channels) -> torch.Tensor:
    """Normalise the channels of images.

    Args:
        images: uint8 pixels (N, height, width, 3).
        device: where the result lies.
        channels: those of the network.

    Returns:
        float32 (N, 3, height, width).
    """
    images = images.to(device, non_blocking=True).permute(0, 3, 1, 2)
    mean, deviation = _on_device(channels, device)
    return images.float().sub_(mean).div_(deviation).contiguous(memory_format=memory_format(device))


@cache
def _on_device(channels: Channels, device: torch.device) -> list[torch.Tensor]:
    """Mean and deviation of pixel values from 0 to 255, (3, 1, 1) each; cached, since each copy waits for a GPU."""
    return [torch.tensor(part, device=device).view(3, 1, 1) * 255 for part in channels]
