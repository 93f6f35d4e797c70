"""Train one classifier: the loop of the paper (4.3 and table 4), with the best weights by validation accuracy.

A training depends on its settings, the package and the split alone, and not on other trials. On the CPU the same
settings give the same bytes. A step depends only on the seed, its place in the training and the state before it, so
that a training that was killed continues after any step as if it had not stopped.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bioscan1m.experiments.batches import Batches
from bioscan1m.experiments.classifiers import start_classifier
from bioscan1m.experiments.cuda_graphs import Computation
from bioscan1m.experiments.data_parallel import run_together
from bioscan1m.experiments.optimization import EpochLoss, learning_rate, loss_is_no_number
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.process_group import ALONE, Group
from bioscan1m.experiments.settings import TrialSettings
from bioscan1m.experiments.trained import Trained, outcome_of
from bioscan1m.experiments.trained_classifier import Skipped, name_skipped, predict
from bioscan1m.experiments.training_data import read_split
from bioscan1m.experiments.training_history import TrainingHistory, describe_epoch, describe_speed
from bioscan1m.experiments.training_step import TrainingStep
from bioscan1m.experiments.unfinished_epoch import UnfinishedEpoch
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.progress import Progress
from bioscan1m.networks.device import prepare_device, to_device
from bioscan1m.networks.device_memory import too_little_memory, within_memory
from bioscan1m.networks.training_state import State, TrainingState

logger = logging.getLogger(__name__)


def train(
    package: str | Path,
    split: str | Path,
    weights: Sequence[str | Path],
    trial: TrialSettings,
    state: TrainingState,
) -> Trained:
    """Train the classifier of a trial, by as many processes as its settings name.

    Args:
        package: the HDF5 file of the images.
        split: the table of image_file, label and role.
        weights: the files of a folder of pretrained weights; none for a backbone that starts from nothing.
        trial: the settings.
        state: where the state is saved; the training continues from a saved one.

    Returns:
        The outcome, with the weights of the best epoch.

    Raises:
        InputError: input does not fit, a loss is no number, memory is too small, no image of a role can be read, or the
            job is asked to end. The saved state remains.
    """
    work = partial(_train_along, package=package, split=split, weights=weights, trial=trial, state=state)
    with state.noticing_the_end():
        return run_together(trial.training.processes, work)


def _train_along(group: Group, **arguments: Any) -> Trained:
    return Trainer(**arguments, group=group).run()


class Trainer:
    """One classifier in training: its data, its step, and how far it has come."""

    def __init__(
        self,
        package: str | Path,
        split: str | Path,
        weights: Sequence[str | Path],
        trial: TrialSettings,
        state: TrainingState,
        group: Group = ALONE,
    ) -> None:
        """As `train`; `group` are the processes that train together."""
        self._trial, self._state, self._group = trial, state, group
        training = trial.training
        device = prepare_device(training.threads, trial.seed, training.deterministic)
        self._classes, self._images = read_split(split)
        self._train_batches = Batches(package, self._images["train"], training, seed=trial.seed, group=group)
        self._validation_batches = Batches(package, self._images["validation"].share(group), training)
        folder = Path(weights[0]).parent if weights else None
        model, self._described = start_classifier(trial.network, len(self._classes), training.crop, folder)
        self._model = to_device(model, device)
        if training.compile:
            self._model.compile()
        self._step = TrainingStep(self._model, trial, group)
        self._history = TrainingHistory()
        self._unfinished: UnfinishedEpoch | None = None

    def run(self) -> Trained:
        """Train until the last epoch, or until `patience` of them after the last step have brought none better."""
        self._resume()
        within_memory(self._train, self._too_little_memory)
        return outcome_of(self._history, self._trial, self._described, self._classes, self._images["train"])

    def _train(self) -> None:
        logits = self._step.capture()
        self._progress = Progress("training", self._images_left())
        while not self._history.is_over(self._trial.training):
            self._state.end_if_asked()
            self._train_and_validate(len(self._history) + 1, logits)
            if self._state.is_due_after_an_epoch or self._history.is_over(self._trial.training):
                self._save()
            if self._group.rank == 0:
                self._history.log(self._trial.training.epochs)

    def _train_and_validate(self, epoch: int, logits: Computation) -> None:
        """One epoch: its row of the history and of the speed, and its weights if it is the best so far."""
        rate = learning_rate(self._trial.training, epoch)
        trained = self._train_epoch(epoch, rate)
        train_skipped, train_loss = self._name_skipped(trained), trained.losses.mean()
        started = time.perf_counter()
        validation, validation_skipped = self._validate(logits)
        seconds = time.perf_counter() - started
        try:
            row = describe_epoch(
                epoch=epoch, rate=rate, train_loss=train_loss, validation=validation, gamma=self._trial.gamma
            )
        except FloatingPointError:
            where = f"on the validation images after epoch {epoch}"
            raise loss_is_no_number(self._trial, where, rate) from None
        self._history.skipped = {"train": train_skipped, "validation": validation_skipped}
        self._history.speed.append(describe_speed(epoch, self._images, trained.seconds, seconds))
        self._history.add(row, validation, lambda: _copy(self._model))

    def _train_epoch(self, epoch: int, rate: float) -> UnfinishedEpoch:
        """One pass over the training images, or what is left of it."""
        done = self._start_epoch(epoch, rate)
        began = time.perf_counter() - done.seconds
        passes = iter(self._train_batches)
        try:
            for batches in zip(*[passes] * self._trial.training.accumulation, strict=True):
                self._step.take(batches, done.losses)
                self._progress.advance(done.add(batches))
                if self._group.agrees(self._state.is_due):
                    done.seconds = time.perf_counter() - began
                    self._save(done.state(self._group))
                    self._state.end_if_asked()
            done.losses.look()
            done.seconds = time.perf_counter() - began  # now that a GPU has done all steps
        except FloatingPointError as step:
            raise loss_is_no_number(self._trial, f"in epoch {epoch}, step {step}", rate) from None
        return done

    def _start_epoch(self, epoch: int, rate: float) -> UnfinishedEpoch:
        """What is done of the epoch; the images and the random numbers that come next are those that follow."""
        done, self._unfinished = self._unfinished or UnfinishedEpoch(EpochLoss(self._group)), None
        self._step.start_epoch(epoch, rate)
        done.go_on()
        self._train_batches.order.epoch, self._train_batches.order.done = epoch, done.steps
        return done

    def _name_skipped(self, trained: UnfinishedEpoch) -> Skipped:
        """The training images that cannot be read. Raises InputError where these are all."""
        named = name_skipped(self._images["train"], trained.all_skipped(self._group))
        if not trained.losses.images:
            raise InputError(f"none of {len(named)} training images can be read; the first: {named[0]}")
        return named

    def _validate(self, logits_of: Computation) -> tuple[Predictions, Skipped]:
        """Predictions for all validation images, of which each process sees its share, and those it cannot read."""
        self._group.align_buffers(self._model)
        found = predict(logits_of, self._validation_batches, self._classes, self._progress)
        parts, skipped = zip(*self._group.gather(found), strict=True)
        image_files = [image_file for part in parts for image_file in part.image_files]
        truth, logits = (np.concatenate([getattr(part, name) for part in parts]) for name in ("truth", "logits"))
        return Predictions(self._classes, image_files, truth, logits), [row for rows in skipped for row in rows]

    def _images_left(self) -> int:
        """Images that this process has yet to see, if the training takes all epochs."""
        images_per_epoch = len(self._images["train"]) + len(self._images["validation"])
        images = (self._trial.training.epochs - len(self._history)) * images_per_epoch
        done = self._unfinished.steps * self._trial.training.batch_size if self._unfinished else 0
        return (images - done) // self._group.size

    def _save(self, unfinished: State | None = None) -> None:
        """Save the state after an epoch, or within an unfinished one."""
        if self._group.rank == 0:
            self._state.save({"history": self._history.state(), "unfinished": unfinished, **self._step.state()})

    def _resume(self) -> None:
        """Continue from the saved state, if any."""
        state = self._state.load()
        self._group.gather(None)  # the first process removes the state in the end: not before all have read it
        if state is None:
            return
        self._step.resume(state)
        self._history = TrainingHistory.of_state(state["history"])
        if state["unfinished"]:
            self._unfinished = UnfinishedEpoch.of_state(state["unfinished"], self._group)
        steps = f" and {self._unfinished.steps} steps of the next" if self._unfinished else ""
        logger.info("going on after epoch %d of %d%s", len(self._history), self._trial.training.epochs, steps)

    def _too_little_memory(self) -> InputError:
        def advice(fitting: int) -> str:
            passes = self._trial.training.accumulation_for(fitting)
            return f"set classifier.training.accumulation in the config to {passes}, the passes of a step"

        self._step.work_alone()
        return too_little_memory(
            what=self._trial.title,
            images=self._train_batches.shape[0],
            pixels=f"{self._trial.training.crop}",
            run=self._step.try_pass,
            advice=advice,
            smaller="backbone or crop",
        )


def _copy(model: nn.Module) -> dict[str, torch.Tensor]:
    """The weights as they are now, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
