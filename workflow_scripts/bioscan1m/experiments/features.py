"""What a frozen trunk makes of images: the input of a network's last layer, kept for all trainings of that layer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from bioscan1m.experiments.batches import Batch, Batches
from bioscan1m.experiments.classifiers import class_logits, head_layer, head_name, start_classifier
from bioscan1m.experiments.passes import BatchLogits
from bioscan1m.experiments.settings import Backbone, BatchSettings
from bioscan1m.experiments.training_data import LabelledImages
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.foundation.tables import read_parquet, write_parquet
from bioscan1m.networks.channels import Channels
from bioscan1m.networks.device import passes_at_a_time, prepare_device, to_device

ANY_CLASSES = 2  # of a network whose last layer is not used
ROUNDING = 1e-3  # between the logits of a network and those of its last layer alone, at most


@dataclass(frozen=True)
class Features:
    """One vector per image that can be read, and why the others cannot."""

    image_files: list[str]
    vectors: np.ndarray  # (images, length) float32
    skipped: dict[str, str]  # reason by image_file


@dataclass(frozen=True)
class Trunk:
    """The network that makes the features, with its input."""

    backbone: Backbone
    weights: str | Path  # the folder of its pretrained weights
    channels: Channels


def compute_features(
    package: str | Path, image_files: Sequence[str], trunk: Trunk, settings: BatchSettings, cores: int
) -> Features:
    """Compute the features of the central crops of images, each of which is decoded once.

    Args:
        package: the HDF5 file.
        image_files: the images.
        trunk: the network.
        settings: pixels, batches, precision and threads.
        cores: those of the job; without a GPU so many batches at a time as they allow.

    Returns:
        The features of those that can be read, in their order, and the others with reasons.

    Raises:
        InputError: no image can be read, or the network has no last layer that could be trained alone.
    """
    device = prepare_device(settings.threads, seed=0)  # only the last layer is drawn
    model, _ = start_classifier(trunk.backbone, ANY_CLASSES, settings.crop, trunk.weights)
    headless = to_device(without_head(model, settings.crop), device)
    vectors_of = BatchLogits(headless, trunk.channels, settings.precision).eval()

    @torch.no_grad()
    def compute(batch: Batch) -> tuple[Batch, np.ndarray | None]:
        return batch, vectors_of(batch.images.to(device)).cpu().numpy() if len(batch.labels) else None

    batches = Batches(package, LabelledImages(list(image_files), np.zeros(len(image_files), np.int64)), settings)
    threads = passes_at_a_time(device, cores, settings.threads)
    return _collect(map_in_order(compute, batches, threads), image_files)


def _collect(computed: Iterable[tuple[Batch, np.ndarray | None]], image_files: Sequence[str]) -> Features:
    """The features of batches in order. Raises InputError where no image could be read."""
    progress, read, vectors = Progress("features", len(image_files)), [], []
    skipped: dict[str, str] = {}
    for batch, of_batch in computed:
        skipped |= {image_files[place]: reason for place, reason in batch.skipped}
        if of_batch is not None:
            read += [image_files[place] for place in batch.indices]
            vectors.append(of_batch)
        progress.advance(len(batch.labels) + len(batch.skipped))
    if not read:
        raise InputError(f"none of {len(image_files)} images can be read; the first: {next(iter(skipped.items()))}")
    return Features(read, np.concatenate(vectors), skipped)


@torch.no_grad()
def without_head(model: nn.Module, image_size: int) -> nn.Module:
    """The network without its last layer, which it loses: what it gives for images (N, 3, size, size) is (N, length).

    Raises InputError where the logits are not what the last layer, a linear one, makes of that.
    """
    image, head = torch.rand(1, 3, image_size, image_size), head_layer(model.eval())
    logits = class_logits(model, image)
    model.set_submodule(head_name(model), nn.Identity())
    features = class_logits(model, image) if isinstance(head, nn.Linear) else None
    if features is None or features.ndim != 2 or not torch.allclose(head(features), logits, ROUNDING, ROUNDING):
        raise InputError(
            f"classifier.training.freeze: a {type(model).__name__} does not end with one linear layer, which could be "
            "trained alone; take another backbone, or set freeze to none"
        )
    return model


def write_features(path: str | Path, features: Features) -> None:
    """Write a Parquet table of image_file and features; its metadata have the images that were left out."""
    flat = pa.array(features.vectors.ravel(), pa.float32())
    columns = {
        "image_file": pa.array(features.image_files, pa.string()),
        "features": pa.FixedSizeListArray.from_arrays(flat, features.vectors.shape[1]),
    }
    write_parquet(path, pa.table(columns, metadata={"skipped": json.dumps(features.skipped, ensure_ascii=False)}))


def read_features(path: str | Path) -> Features:
    """Read what `write_features` wrote."""
    table = read_parquet(path)
    vectors = table["features"].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1)
    return Features(table["image_file"].to_pylist(), vectors, json.loads(table.schema.metadata[b"skipped"]))
