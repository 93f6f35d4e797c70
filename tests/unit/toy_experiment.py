"""A small experiment that can be learned in seconds: images of one hue per class, packed and split as the real ones."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from bioscan1m.experiments.settings import TrainingSettings, TrialSettings, settings_of, trial_of
from bioscan1m.experiments.trained import (
    DIGITS,
    HISTORY_COLUMNS,
    SPEED_COLUMNS,
    Trained,
    describe_validation,
    write_model,
)
from bioscan1m.experiments.training import train
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.tsv import write_numbers
from bioscan1m.networks.training_state import TrainingState
from pack_hdf5 import pack_hdf5

HUES = {"Coleoptera": (200, 60, 60), "Diptera": (60, 160, 60), "Hymenoptera": (70, 70, 210)}
GREY = (128, 128, 128)  # of any other label
IMAGES = {"Coleoptera": 16, "Diptera": 24, "Hymenoptera": 10}
ROLES = ("train", "train", "train", "validation", "test")  # of images in turn
RESNET = {
    "library": "transformers",
    "name": "ResNetForImageClassification",
    "weights": None,
    "settings": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
}
VIT = {
    "library": "transformers",
    "name": "ViTForImageClassification",
    "weights": None,
    "settings": {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "patch_size": 8,
    },
}
TRAINING = {
    "epochs": 4,
    "patience": 4,
    "batch_size": 8,
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "learning_rate_decay": "steps",
    "learning_rate_steps": [3],
    "learning_rate_factor": 0.1,
    "short_side": 36,
    "crop": 32,
    "workers": 0,
    "cache_images": False,
    "threads": 1,
    "precision": "auto",
    "deterministic": False,
    "compile": False,
    "accumulation": 1,
    "processes": 1,
}


def make_package(
    folder: Path, missing: int = 0, damaged: int = 0, more: Sequence[tuple[str, str, str]] = ()
) -> tuple[Path, Path]:
    """Write `package.hdf5` and `split.parquet`; of the first images some are missing and the next ones damaged.

    `more` are further images by name, label and role.
    """
    rows = [(f"{name}{place}.jpg", name, ROLES[place % 5]) for name in IMAGES for place in range(IMAGES[name])]
    rows += more
    with ZipWriter(folder / "shard.zip") as archive:
        for place, (image_file, label, _) in enumerate(rows[missing:]):
            archive.add(image_file, b"no image" if place < damaged else _jpeg(label, place))
    pack_hdf5([folder / "shard.zip"], folder / "package.hdf5", {})
    columns = zip(("image_file", "label", "role"), zip(*rows, strict=True), strict=True)
    pq.write_table(pa.table({name: list(values) for name, values in columns}), folder / "split.parquet")
    return folder / "package.hdf5", folder / "split.parquet"


def make_trial(backbone: dict[str, Any] = RESNET, gamma: float = 0, **training: Any) -> dict[str, Any]:
    """The parameters of a trial; keywords change single settings of its training."""
    return {
        "experiment": "small_insect_order",
        "backbone": "resnet50",
        "loss": "focal" if gamma else "ce",
        "seed": 1,
        "backbone_settings": backbone,
        "loss_settings": {"gamma": gamma},
        "training": {**TRAINING, **training},
    }


def make_settings(*arguments: Any, **training: Any) -> TrialSettings:
    """The settings of the trial that `make_trial` makes."""
    return trial_of(make_trial(*arguments, **training))


def make_training(**changed: Any) -> TrainingSettings:
    """The settings of the training, some of them changed."""
    return settings_of(TrainingSettings, TRAINING | changed)


def train_and_write(toy: tuple[Path, Path], trial: dict[str, Any], folder: Path) -> None:
    """Train and write the files of a trial, as the rule does."""
    kept = TrainingState(folder / "unfinished", "recipe")
    write_outcome(train(*toy, [], trial_of(trial), kept), folder)
    kept.remove()


def write_outcome(trained: Trained, folder: Path) -> None:
    """Write the files of a trial that was trained."""
    write_model(folder / "model.safetensors", trained, {"code": "c", "data": "d"})
    write_numbers(folder / "history.tsv", HISTORY_COLUMNS, trained.history, DIGITS)
    write_numbers(folder / "speed.tsv", SPEED_COLUMNS, trained.speed, DIGITS)
    write_json(folder / "validation.json", describe_validation(trained))


def _jpeg(label: str, seed: int) -> bytes:
    noise = np.random.default_rng(seed).normal(0, 20, (48, 64, 3))
    pixels = np.clip(np.array(HUES.get(label, GREY)) + noise, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()
