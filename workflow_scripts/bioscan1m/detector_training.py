"""Fine-tuning of a detector on annotated images, by the published recipe (paper, A7.1) or another from the config.

AdamW with a smaller learning rate for the backbone, a clipped gradient, the loss of DETR (class, L1 and generalised
IoU of the boxes that the Hungarian algorithm matches). Empty wells teach that there is nothing.
"""

from __future__ import annotations

import csv
import io
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import DetrForObjectDetection
from transformers.models.detr.modeling_detr import DetrFrozenBatchNorm2d, replace_batch_norm

from bioscan1m.atomic import write_text
from bioscan1m.detector import class_logits_and_boxes, normalise
from bioscan1m.detector_batches import Batch, epoch_batches
from bioscan1m.detector_examples import Example
from bioscan1m.detector_input import Preprocessor
from bioscan1m.device import mixed_precision
from bioscan1m.errors import InputError
from bioscan1m.progress import Progress

logger = logging.getLogger(__name__)

LOSS_TERMS = ("loss_ce", "loss_bbox", "loss_giou")
HISTORY_COLUMNS = ("epoch", "learning_rate", "loss", *LOSS_TERMS)
# The stem and the first stage of the backbone keep the features they have from pretraining, as in the original DETR.
GENERAL_FEATURES = ("embedder.", "encoder.stages.0.")


def fine_tune(
    model: DetrForObjectDetection,
    examples: Sequence[Example],
    preprocessor: Preprocessor,
    settings: dict[str, Any],
    device: torch.device,
) -> list[dict[str, float]]:
    """Train the model in place and leave it on the CPU; return the mean losses of each epoch.

    `settings` is the config's `fine_tuning`. With `train_batch_norm` the backbone's batch norm learns, and all of the
    backbone with it; in the end it is frozen again. Raises InputError where there is nothing to learn from, or where
    the loss is not a number.
    """
    if not any(len(example.boxes) for example in examples):
        raise InputError(f"none of the {len(examples)} training images has a box; there is nothing to learn")
    if settings["train_batch_norm"]:
        thaw_batch_norm(model.model.backbone)
    model.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(parameter_groups(model, settings), weight_decay=settings["weight_decay"])
    steps = math.ceil(len(examples) / settings["batch_size"])
    training = Training(model, optimizer, preprocessor, settings, steps)
    progress = Progress("training the detector", settings["epochs"] * steps, "steps")
    history = []
    for epoch in range(1, settings["epochs"] + 1):
        history.append(training.train_epoch(epoch, epoch_batches(examples, settings, epoch), progress))
        logger.info("epoch %d of %d: loss %.3f", epoch, settings["epochs"], history[-1]["loss"])
    with torch.no_grad():
        replace_batch_norm(model.cpu().model.backbone)  # it makes the frozen layers on the CPU
    return history


@dataclass(frozen=True)
class Training:
    """A training on its way: what an epoch needs and changes. `steps` is their number in an epoch."""

    model: DetrForObjectDetection
    optimizer: torch.optim.Optimizer
    preprocessor: Preprocessor
    settings: dict[str, Any]
    steps: int

    def train_epoch(self, epoch: int, batches: Iterable[Batch], progress: Progress) -> dict[str, float]:
        """One pass over the training images; returns the learning rate of its first step and the means over all."""
        torch.manual_seed(_seed(self.settings["seed"], epoch))  # of dropout
        rows = []
        for step, batch in enumerate(batches):
            factor = learning_rate_factor(self.settings, epoch - 1 + step / self.steps)
            for group in self.optimizer.param_groups:
                group["lr"] = group["base_rate"] * factor
            try:
                rows.append(self.train_step(batch))
            except InputError as reason:
                raise InputError(
                    f"training the detector went astray in epoch {epoch}, step {step + 1}: {reason}; lower "
                    "learning_rate or gradient_clip under detector.fine_tuning"
                ) from None
            progress.advance()
        means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        rate = self.settings["learning_rate"] * learning_rate_factor(self.settings, epoch - 1)
        return {"epoch": epoch, "learning_rate": rate, **means}

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One step of the optimizer; returns the loss and its terms. Raises InputError before it breaks the model."""
        loss, terms = detection_loss(self.model, batch, self.preprocessor)
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.settings["gradient_clip"])
        if not (loss.isfinite() and norm.isfinite()):
            raise InputError(f"the loss is {loss.item()} with a gradient of norm {norm.item()}")
        self.optimizer.step()
        return {"loss": loss.item(), **{term: terms[term].item() for term in LOSS_TERMS}}


def detection_loss(
    model: DetrForObjectDetection, batch: Batch, preprocessor: Preprocessor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The loss of a batch and its terms. Raises InputError where what the model predicts is not a number."""
    mask = batch.mask.to(model.device)
    pixels = normalise(batch.pixels.to(model.device), preprocessor) * mask[:, None]
    with mixed_precision(model.device):
        decoded = model.model(pixels.contiguous(memory_format=torch.channels_last), pixel_mask=mask)
    logits, boxes = class_logits_and_boxes(model, decoded.last_hidden_state)
    if not (logits.isfinite().all() and boxes.isfinite().all()):
        raise InputError("the predictions are not numbers")
    layers = class_logits_and_boxes(model, decoded.intermediate_hidden_states) if model.config.auxiliary_loss else ()
    labels = [{key: value.to(model.device) for key, value in label.items()} for label in batch.labels]
    loss, terms, _ = model.loss_function(logits, labels, model.device, boxes, model.config, *layers)
    return loss, terms


def parameter_groups(model: DetrForObjectDetection, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The parameters that learn: the backbone's at its own rate, all others at the other.

    transformers freezes all of its own ResNet within DETR, so what learns is set here.
    """
    backbone, rate = model.model.backbone.model, settings["backbone_learning_rate"]
    for name, parameter in backbone.named_parameters():
        general = name.startswith(GENERAL_FEATURES) and not settings["train_batch_norm"]
        parameter.requires_grad_(rate > 0 and not general)
    of_backbone = set(backbone.parameters())
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in learning if parameter not in of_backbone]},
        {"params": [parameter for parameter in learning if parameter in of_backbone]},
    ]
    rates = (settings["learning_rate"], rate)
    return [{**group, "base_rate": rate} for group, rate in zip(groups, rates, strict=True) if group["params"]]


def learning_rate_factor(settings: dict[str, Any], epochs_done: float) -> float:
    """What the learning rates are multiplied by: 1, or half a cosine from 1 to 0 over the whole training."""
    if settings["learning_rate_decay"] == "none":
        return 1.0
    return (1 + math.cos(math.pi * epochs_done / settings["epochs"])) / 2


def thaw_batch_norm(module: nn.Module) -> None:
    """Replace DETR's frozen batch norm by the live one, with its values; a backbone without pretraining needs it."""
    for name, child in module.named_children():
        if isinstance(child, DetrFrozenBatchNorm2d):
            live = nn.BatchNorm2d(len(child.weight))
            live.load_state_dict(child.state_dict(), strict=False)  # the counter of batches begins at 0
            setattr(module, name, live)
        else:
            thaw_batch_norm(child)


def write_history(path: str | Path, history: Sequence[dict[str, float]]) -> None:
    """Write one row per epoch."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, HISTORY_COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in history)
    write_text(path, buffer.getvalue())


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
