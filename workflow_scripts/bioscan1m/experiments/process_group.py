"""The processes that train one model together, as one of them sees them, and what they exchange."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Group:
    """The rank of this process, and the number of all."""

    rank: int = 0
    size: int = 1

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The element-wise sum of the values of each process, on the same device."""
        if self.size > 1:
            values = values.clone()
            distributed.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in the order of their ranks; each process waits until all have come here."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def agrees(self, wanted: bool) -> bool:
        """Whether the first process wants it; each process waits until all have come here."""
        return bool(self.total(torch.tensor(int(wanted and self.rank == 0))))

    def share(self, model: nn.Module) -> nn.Module:
        """A wrapper of the model whose backward pass averages the gradients over the processes.

        On GPUs batch norm then sees all images of a pass; on a CPU, where torch cannot do that, those of its process.
        """
        if self.size == 1:
            return model
        if next(model.parameters()).is_cuda:
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return DistributedDataParallel(model, find_unused_parameters=True)

    def add_up(self, shared: nn.Module) -> AbstractContextManager:
        """A block whose backward passes add to this process's gradients; those after the block are averaged."""
        return shared.no_sync() if isinstance(shared, DistributedDataParallel) else nullcontext()

    def align_buffers(self, model: nn.Module) -> None:
        """Give every process the first one's buffers: the running statistics of batch norm."""
        if self.size > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)


ALONE = Group()
