"""The settings of a trial: its backbone, its loss and its training, as the validated config has them.

A script builds them once from the parameter of its rule. A model's file records the same parameter, from which the
classifier is built again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from bioscan1m.networks.channels import CHANNELS_BEFORE, UNIT_RANGE, Channels, read_channels


@dataclass(frozen=True)
class Backbone:
    """A network of a library, by name."""

    library: str  # torchvision, transformers or timm
    name: str  # a model name such as resnet50, or a class of transformers such as ViTForImageClassification
    settings: Mapping[str, Any]  # arguments of the model or of its configuration


@dataclass(frozen=True)
class BatchSettings:
    """How a network gets its images, in training and in evaluation."""

    batch_size: int  # images of a step, in all its passes and processes
    accumulation: int  # passes of a step, each with its part of the batch
    processes: int  # processes that share each step
    short_side: int  # pixels of a decoded image
    crop: int  # pixels of the network's input
    workers: int  # processes that decode images; 0 decodes in the training process
    cache_images: bool  # whether decoded images stay in memory
    threads: int  # CPU threads for numerics
    precision: str  # auto, float32 or bfloat16

    @property
    def parts(self) -> int:
        """Passes of a step over all processes."""
        return self.processes * self.accumulation

    @property
    def pass_shape(self) -> tuple[int, int, int, int]:
        """Shape of the pixels of a whole pass: (images, crop, crop, 3)."""
        return math.ceil(self.batch_size / self.parts), self.crop, self.crop, 3

    def accumulation_for(self, images: int) -> int:
        """The accumulation at which a pass has at most so many images."""
        return math.ceil(self.batch_size / (self.processes * images))


@dataclass(frozen=True)
class TrainingSettings(BatchSettings):
    """How a classifier is trained."""

    epochs: int  # at most
    patience: int  # epochs without a better validation result, after the last step, before training stops
    optimizer: str  # sgd or adamw
    learning_rate: float  # of the first epoch
    momentum: float  # of sgd
    weight_decay: float
    learning_rate_decay: str  # steps or cosine
    learning_rate_steps: Sequence[int]  # epochs after which the learning rate falls
    learning_rate_factor: float  # by which it is multiplied there
    deterministic: bool  # the same bits on a GPU too
    compile: bool  # by torch.compile

    @property
    def last_step(self) -> int:
        """The last epoch after which the learning rate falls by a step; 0 where it never does."""
        steps = self.learning_rate_steps if self.learning_rate_decay == "steps" else []
        return max((step for step in steps if step < self.epochs), default=0)


@dataclass(frozen=True)
class TrialSettings:
    """One training: an experiment, a backbone, a loss and a seed."""

    experiment: str
    backbone: str  # its name in the config
    loss: str  # its name in the config
    seed: int
    network: Backbone
    channels: Channels  # of the network's input
    gamma: float  # of the focal loss; 0 is cross-entropy
    training: TrainingSettings
    recorded: Mapping[str, Any]  # the plain values of all these, as files of results record them

    @property
    def title(self) -> str:
        """The trial in messages."""
        return f"{self.experiment}, {self.backbone}_{self.loss}, seed {self.seed}"


Settings = TypeVar("Settings", Backbone, BatchSettings, TrainingSettings)


def settings_of(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    """The settings of a kind from plain values by name, of which there may be more."""
    return kind(**{field.name: values[field.name] for field in fields(kind)})


def trial_of(values: Mapping[str, Any], channels: Sequence[str | Path] = ()) -> TrialSettings:
    """The settings of a trial from plain values.

    Args:
        values: experiment, backbone, loss, seed, and as in the config backbone_settings, loss_settings (gamma) and
            training.
        channels: the file of the channels, where the backbone's normalisation is `weights` or `dataset`.

    Raises:
        InputError: the file has no channels.
    """
    return TrialSettings(
        **{name: values[name] for name in ("experiment", "backbone", "loss", "seed")},
        network=settings_of(Backbone, values["backbone_settings"]),
        channels=channels_of_normalisation(values["backbone_settings"].get("normalisation"), channels),
        gamma=values["loss_settings"]["gamma"],
        training=settings_of(TrainingSettings, values["training"]),
        recorded=values,
    )


def channels_of_normalisation(normalisation: str | Mapping[str, Any] | None, files: Sequence[str | Path]) -> Channels:
    """The channels that a normalisation of the config means, with the file of those that it only names.

    Raises InputError where the file has no channels.
    """
    if normalisation is None:
        return CHANNELS_BEFORE
    if normalisation == "unit":
        return UNIT_RANGE
    if isinstance(normalisation, str):
        (file,) = files
        return read_channels(file)
    return Channels(tuple(normalisation["mean"]), tuple(normalisation["std"]))
