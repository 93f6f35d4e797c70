"""Fine-tuning of a detector on annotated images, by the published recipe (paper, A7.1) or another from the config.

AdamW with a smaller learning rate for the backbone, a clipped gradient, and the loss that belongs to the detector: for
DETR class, L1 and generalised IoU of the boxes that the Hungarian algorithm matches. Empty wells are examples without
boxes. A step depends only on the seed, its place in the training and the state before it, so that training can continue
after any step as if it had not stopped.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from bioscan1m.detector.architecture import keep_heads_in_float32, understands_padding
from bioscan1m.detector.batch_norm import freeze_batch_norm, thaw_batch_norm
from bioscan1m.detector.batches import AnnotatedBatch, as_fractions, collate, epoch_batches
from bioscan1m.detector.evaluation import evaluate, metrics
from bioscan1m.detector.examples import Example
from bioscan1m.detector.model import Detector, normalise, on_device
from bioscan1m.detector.preprocessing import Preprocessor
from bioscan1m.detector.settings import FineTuning
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.progress import Progress
from bioscan1m.networks.device import mixed_precision, random_state, seed_of, set_random_state
from bioscan1m.networks.device_memory import too_little_memory, within_memory
from bioscan1m.networks.training_state import State, TrainingState

logger = logging.getLogger(__name__)

# The terms of the last layer; the names of those of other layers and of denoising have suffixes.
LOSS_TERM = re.compile(r"loss_[a-z]+")
BATCH_SETTING = "detector.fine_tuning.batch_size"
MONITORED = ("ap_75", "ar_50_95", "mean_iou")
OF_BACKBONE = re.compile(r".*\bbackbone\..*")
# The stem and the first stage of the backbone stay as they were pretrained, as in the original DETR.
GENERAL_FEATURES = re.compile(r".*\bbackbone\.(conv_encoder\.)?model\.(embedder|encoder\.stages\.0)\..*")


def fine_tune(
    model: PreTrainedModel,
    examples: Sequence[Example],
    preprocessor: Preprocessor,
    settings: FineTuning,
    device: torch.device,
    kept: TrainingState,
    monitor: Sequence[Example] = (),
) -> list[dict[str, float]]:
    """Train the model in place and leave it on the CPU.

    With `train_batch_norm` all of the backbone learns, its batch norm included, which is frozen again in the end.

    Args:
        model: the detector to start from.
        examples: the training images.
        preprocessor: how the images were prepared.
        settings: the settings.
        device: where to train.
        kept: the state of an unfinished training, from which this one continues.
        monitor: images on which AP, AR and the mean IoU are measured after each epoch; none are measured without.

    Returns:
        One row per epoch: its number, learning rate, mean loss and terms of the loss, and the measures.

    Raises:
        InputError: no image has a box, the loss is not finite, there is too little memory, or the job is asked to end.
    """
    if not any(len(example.boxes) for example in examples):
        raise InputError(f"none of the {len(examples)} training images has a box; there is nothing to learn")
    if monitor and not any(len(example.boxes) for example in monitor):
        raise InputError("fine_tuning.monitor: none of its images has a box; nothing can be measured on them")
    frozen = thaw_batch_norm(model) if settings.train_batch_norm else {}
    keep_heads_in_float32(model)
    on_device(model, device)
    optimizer = torch.optim.AdamW(parameter_groups(model, settings), weight_decay=settings.weight_decay)
    training = Training(model, optimizer, preprocessor, settings, images=len(examples))
    with kept.noticing_the_end():
        history = within_memory(
            lambda: training.run(examples, kept, monitor), lambda: training.too_little_memory(examples)
        )
    freeze_batch_norm(model.cpu(), frozen)
    return history


@dataclass
class DoneSoFar:
    """How far a training has come: a row for each epoch, one for each step of the unfinished epoch, random numbers."""

    history: list[dict[str, float]] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    random: list[torch.Tensor] = field(default_factory=list)

    def end_epoch(self, rate: float, measures: dict[str, float]) -> None:
        """Add the row of the epoch: its learning rate, the means over its steps, and these measures."""
        epoch = len(self.history) + 1
        self.history.append({"epoch": epoch, "learning_rate": rate, **_means(self.rows), **measures})
        self.rows = []


@dataclass(frozen=True)
class Training:
    """What each epoch of a training needs and changes; `images` is the number of training images."""

    model: PreTrainedModel
    optimizer: torch.optim.Optimizer
    preprocessor: Preprocessor
    settings: FineTuning
    images: int

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return math.ceil(self.images / self.settings.batch_size)

    def run(
        self, examples: Sequence[Example], kept: TrainingState, monitor: Sequence[Example]
    ) -> list[dict[str, float]]:
        """Train what `kept` lacks; returns the rows of all epochs."""
        done, epochs = self.resume(kept), self.settings.epochs
        left = (epochs - len(done.history)) * self.steps - len(done.rows)
        progress = Progress("training the detector", left, "steps")
        for epoch in range(len(done.history) + 1, epochs + 1):
            kept.end_if_asked()
            for _ in self.train_epoch(epoch, examples, done):
                progress.advance()
                if kept.is_due:
                    kept.save(self.state(done))
                    kept.end_if_asked()
            done.end_epoch(self.rate(epoch), self.measure(monitor))
            if kept.is_due_after_an_epoch or epoch == epochs:
                kept.save(self.state(done))
            described = ", ".join(f"{name} {value:.4g}" for name, value in done.history[-1].items() if name != "epoch")
            logger.info("epoch %d of %d: %s", epoch, epochs, described)
        return done.history

    def state(self, done: DoneSoFar) -> State:
        """All that the training goes on from."""
        model = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        return {**vars(done), "random": random_state(), **model}

    def resume(self, kept: TrainingState) -> DoneSoFar:
        """Load the state of an unfinished training, if there is one; return what it has done."""
        state = kept.load()
        if state is None:
            return DoneSoFar()
        self.model.load_state_dict(state.pop("model"))
        self.optimizer.load_state_dict(state.pop("optimizer"))
        done = DoneSoFar(**state)
        steps = f" and {len(done.rows)} steps of the next" if done.rows else ""
        logger.info("going on after epoch %d of %d%s", len(done.history), self.settings.epochs, steps)
        return done

    def rate(self, epoch: int) -> float:
        """The learning rate of the first step of an epoch."""
        return self.settings.learning_rate * learning_rate_factor(self.settings, epoch - 1)

    def train_epoch(self, epoch: int, examples: Sequence[Example], done: DoneSoFar) -> Iterator[None]:
        """Add to what is done of an epoch the steps that it lacks, one by one."""
        torch.manual_seed(seed_of(self.settings.seed, epoch))  # of dropout and of denoising queries
        if done.rows:
            set_random_state(done.random)
        self.model.train()
        batches = epoch_batches(
            examples,
            self.settings,
            epoch=epoch,
            preprocessor=self.preprocessor,
            padded_boxes=not understands_padding(self.model),
            done=len(done.rows),
        )
        for step, batch in enumerate(batches, start=len(done.rows)):
            factor = learning_rate_factor(self.settings, epoch - 1 + step / self.steps)
            for group in self.optimizer.param_groups:
                group["lr"] = group["base_rate"] * factor
            try:
                done.rows.append(self.train_step(batch))
            except InputError as reason:
                raise InputError(
                    f"training the detector went astray in epoch {epoch}, step {step + 1}: {reason}; lower "
                    "learning_rate or gradient_clip under detector.fine_tuning"
                ) from None
            yield

    def train_step(self, batch: AnnotatedBatch) -> dict[str, float]:
        """One step of the optimizer; returns the loss and its terms.

        Raises InputError, before the model is changed, where loss or gradient is not finite.
        """
        loss, terms = detection_loss(self.model, batch, self.preprocessor, self.settings.precision)
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.gradient_clip)
        if not (loss.isfinite() and norm.isfinite()):
            raise InputError(f"the loss is {loss.item()} with a gradient of norm {norm.item()}")
        self.optimizer.step()
        return {"loss": loss.item(), **terms}

    def measure(self, monitor: Sequence[Example]) -> dict[str, float]:
        """AP, AR and mean IoU on these images at this point; nothing without images."""
        if not monitor:
            return {}
        detector = Detector(
            model=self.model.eval(),
            preprocessor=self.preprocessor,
            device=self.model.device,
            precision=self.settings.precision,
            batch_setting=BATCH_SETTING,
        )
        figures = metrics(evaluate(detector, monitor, self.settings.batch_size))
        return {name: figures[name] for name in MONITORED}

    def too_little_memory(self, examples: Sequence[Example]) -> InputError:
        """An error that names how many images fit into the memory at a time, of the size of the largest batch."""
        height, width = np.max([example.image.pixels.shape[1:] for example in examples], axis=0).tolist()
        _, boxes = as_fractions(max(examples, key=lambda example: len(example.boxes)))
        largest = np.zeros((3, height, width), np.uint8), boxes

        def run(images: int) -> None:
            """A whole step: the optimizer too takes memory, from the first one on."""
            batch = collate([largest] * images, not understands_padding(self.model))
            detection_loss(self.model.train(), batch, self.preprocessor, self.settings.precision)[0].backward()
            self.optimizer.step()
            self.optimizer.zero_grad()

        return too_little_memory(
            what="training the detector",
            images=self.settings.batch_size,
            pixels=f"{width}x{height}",
            run=run,
            advice=lambda fitting: f"set {BATCH_SETTING} in the config to {fitting}",
            smaller="base or image_size",
        )


def detection_loss(
    model: PreTrainedModel, batch: AnnotatedBatch, preprocessor: Preprocessor, precision: str
) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss of a batch and the terms of the loss.

    Args:
        model: the detector.
        batch: images with their boxes.
        preprocessor: mean and standard deviation of the channels.
        precision: auto, float32 or bfloat16.

    Returns:
        The loss as a tensor to differentiate, and each of its terms by name.

    Raises:
        InputError: a predicted box is not finite.
    """
    mask = batch.mask.to(model.device)
    pixels = normalise(batch.pixels.to(model.device), preprocessor) * mask[:, None]
    labels = [{key: value.to(model.device) for key, value in label.items()} for label in batch.labels]
    masked = {"pixel_mask": mask} if understands_padding(model) else {}
    try:
        with mixed_precision(model.device, precision):
            found = model(pixels.contiguous(memory_format=torch.channels_last), labels=labels, **masked)
    except ValueError as error:
        if not str(error).startswith(("boxes1", "boxes2")):  # of transformers' generalised IoU
            raise
        raise InputError("the predicted boxes are not numbers, or inside out") from None
    return found.loss, {name: term.item() for name, term in found.loss_dict.items() if LOSS_TERM.fullmatch(name)}


def parameter_groups(model: PreTrainedModel, settings: FineTuning) -> list[dict[str, Any]]:
    """The parameters that learn, as groups for the optimizer: those of the backbone have a learning rate of their own.

    transformers freezes its own ResNet within DETR, so `requires_grad` of the backbone is set here.
    """
    others: list[nn.Parameter] = []
    backbone: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if of_backbone := bool(OF_BACKBONE.fullmatch(name)):
            general = bool(GENERAL_FEATURES.fullmatch(name)) and not settings.train_batch_norm
            parameter.requires_grad_(settings.backbone_learning_rate > 0 and not general)
        if parameter.requires_grad:
            (backbone if of_backbone else others).append(parameter)
    groups = (others, settings.learning_rate), (backbone, settings.backbone_learning_rate)
    return [{"params": parameters, "base_rate": rate} for parameters, rate in groups if parameters]


def learning_rate_factor(settings: FineTuning, epochs_done: float) -> float:
    """What the learning rates are multiplied by: 1, or half a cosine from 1 to 0 over the whole training."""
    if settings.learning_rate_decay == "none":
        return 1.0
    return (1 + math.cos(math.pi * epochs_done / settings.epochs)) / 2


def _means(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
