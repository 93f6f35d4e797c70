"""One step of the optimizer, over several passes and by several processes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import torch
from torch import nn

from bioscan1m.experiments.batches import Batch
from bioscan1m.experiments.cuda_graphs import Computation
from bioscan1m.experiments.optimization import EpochLoss, make_optimizer
from bioscan1m.experiments.passes import BatchLogits, BatchLoss
from bioscan1m.experiments.process_group import Group
from bioscan1m.experiments.settings import TrialSettings
from bioscan1m.networks.device import seed_of
from bioscan1m.networks.training_state import State


class TrainingStep:
    """A model with its optimizer; each image of a step counts the same, whichever process and pass it is in."""

    def __init__(self, model: nn.Module, trial: TrialSettings, group: Group) -> None:
        """Wrap a model that is on its device.

        Args:
            model: the classifier.
            trial: its loss, optimizer, precision and passes per step.
            group: the processes that share each step.
        """
        self._model, self._trial, self._group = model, trial, group
        self._device = next(model.parameters()).device
        self._shared = group.share(model)
        self._loss: BatchLoss | Computation = self._loss_of(self._shared)
        self._optimizer = make_optimizer(model, trial.training)

    def capture(self) -> Computation:
        """Compute whole passes as CUDA graphs, in training where their gradients are not added up.

        Returns:
            What computes the logits of the model in evaluation.
        """
        shape = self._trial.training.pass_shape
        self._model.train()
        if self._trial.training.accumulation == 1:
            self._loss = Computation(self._loss_of(self._shared), shape, shape[:1])
        with torch.no_grad():
            return Computation(self._logits_of(self._model).eval(), shape)

    def start_epoch(self, epoch: int, rate: float) -> None:
        """Set the seed of dropout and the learning rate."""
        torch.manual_seed(seed_of(self._trial.seed, epoch, self._group.rank))
        self._shared.train()
        for parameters in self._optimizer.param_groups:
            parameters["lr"] = rate

    def take(self, batches: Sequence[Batch], losses: EpochLoss) -> None:
        """Take one step, and add its loss to those of the epoch.

        Args:
            batches: the passes of this process; the other processes take theirs at the same time.
            losses: the losses of the epoch.

        Raises:
            FloatingPointError: with the number of the step, where a loss is no number; it may be an earlier step.
        """
        own = sum(len(batch.labels) for batch in batches)
        images = int(self._group.total(torch.tensor(own)))  # on the CPU: it need not wait for a GPU
        if not images:
            return
        self._optimizer.zero_grad()
        loss_sum = torch.zeros((), device=self._device)
        for place, batch in enumerate(batches, start=1):
            with self._group.add_up(self._shared) if place < len(batches) else nullcontext():
                loss_sum += self._pass(batch, images)
        self._optimizer.step()
        losses.add(loss_sum, own)

    def _pass(self, batch: Batch, images: int) -> torch.Tensor:
        """Add the gradient of a batch's part in a step of `images` images; the sum of its losses, on the device."""
        pixels, labels = batch.images, batch.labels
        if empty := not len(labels):
            if self._group.size == 1:
                return torch.zeros((), device=self._device)
            # The others wait for this process: it has a part of no weight.
            pixels, labels = self._black(1), np.zeros(1, np.int64)
        loss = self._loss(self._on_device(pixels), self._on_device(torch.from_numpy(labels)))
        weight = 0 if empty else len(labels)
        (loss * (weight * self._group.size / images)).backward()  # the processes' gradients are averaged
        return loss.detach() * weight

    def state(self) -> State:
        """The weights and the state of the optimizer."""
        return {"model": self._model.state_dict(), "optimizer": self._optimizer.state_dict()}

    def resume(self, state: State) -> None:
        """Continue from what `state` returned."""
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])

    def work_alone(self) -> None:
        """Release the memory of graphs, and wait for no other process: to find out how many images fit."""
        self._loss = self._loss_of(self._model)
        self._model.eval()  # batch norm would wait for the others

    def try_pass(self, images: int) -> None:
        """A pass over so many black images, forward and back."""
        self._optimizer.zero_grad()
        labels = torch.zeros(images, dtype=torch.int64, device=self._device)
        self._loss(self._on_device(self._black(images)), labels).backward()

    def _loss_of(self, model: nn.Module) -> BatchLoss:
        return BatchLoss(self._logits_of(model), self._trial.gamma)

    def _logits_of(self, model: nn.Module) -> BatchLogits:
        return BatchLogits(model, self._trial.channels, self._trial.training.precision)

    def _black(self, images: int) -> torch.Tensor:
        return torch.zeros(images, *self._trial.training.pass_shape[1:], dtype=torch.uint8)

    def _on_device(self, values: torch.Tensor) -> torch.Tensor:
        return values.to(self._device, non_blocking=True)
