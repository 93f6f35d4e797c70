"""A model that has memory for a few images alone: torch's own error comes with more of them."""

from __future__ import annotations

import torch


def give_room_for(model: torch.nn.Module, images: int) -> None:
    """Let the model raise torch.OutOfMemoryError in a pass over more than so many images."""

    def check(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if len(inputs[0]) > images:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    model.register_forward_pre_hook(check)
