"""A detector that is ready to find insects, and the folder of three files that it is kept in.

`config.json` and `model.safetensors` are as on the Hugging Face hub, `preprocessor.json` holds the size of the input.
The backbone is transformers' own ResNet; files whose backbone came from timm are read by renaming it
(detector_backbone.py). In a file the batch norm of the backbone is always the frozen one, whatever trained it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from bioscan1m.atomic import write_aside
from bioscan1m.detector.detector_architecture import (
    CLASS_NAMES,
    box_scores,
    build_model,
    keep_heads_in_float32,
    number_of_classes,
    read_config,
    with_classes,
)
from bioscan1m.detector.detector_backbone import with_own_backbone
from bioscan1m.detector.detector_batch_norm import fold_batch_norm
from bioscan1m.detector.detector_input import Preprocessor, read_preprocessor, write_preprocessor
from bioscan1m.device import mixed_precision
from bioscan1m.device_memory import too_little_memory, within_memory
from bioscan1m.errors import InputError
from bioscan1m.weights import read_weights, write_serialized


class Predictions(NamedTuple):
    """All queries of a batch: boxes (N, queries, 4) as corners in fractions of the image, and scores (N, queries)."""

    boxes: np.ndarray
    scores: np.ndarray

    def best(self) -> tuple[np.ndarray, np.ndarray]:
        """The box (N, 4) of the highest score of each image, as the paper crops by it (A7.1), and that score (N,)."""
        rows, queries = np.arange(len(self.scores)), self.scores.argmax(axis=1)
        return self.boxes[rows, queries], self.scores[rows, queries]


@dataclass(frozen=True)
class Detector:
    """A model that is ready to predict, on its device.

    `precision` is auto, float32 or bfloat16 (device.py); `batch_setting` is what in the config says how many images it
    is given at a time.
    """

    model: PreTrainedModel
    preprocessor: Preprocessor
    device: torch.device
    precision: str = "auto"
    batch_setting: str = "detector.detection.batch_size"

    def predict(self, images: list[np.ndarray]) -> Predictions:
        """Boxes and scores of inputs (3, h, w) uint8 of one size, so that no padding and no neighbour matters.

        Raises InputError where there is too little memory for so many.
        """
        return within_memory(lambda: self._predict(images), lambda: self._too_little_memory(images))

    @torch.inference_mode()
    def _predict(self, images: list[np.ndarray]) -> Predictions:
        pixels = torch.from_numpy(np.stack(images))
        if self.device.type == "cuda":
            pixels = pixels.pin_memory()
        pixels = normalise(pixels.to(self.device, non_blocking=True), self.preprocessor)
        with mixed_precision(self.device, self.precision):
            found = self.model(pixels.contiguous(memory_format=torch.channels_last))
        scores = box_scores(found.logits.float(), self.model.config.num_labels)
        return Predictions(corners(found.pred_boxes.float()).clamp(0, 1).cpu().numpy(), scores.cpu().numpy())

    def _too_little_memory(self, images: list[np.ndarray]) -> InputError:
        _, height, width = images[0].shape
        return too_little_memory(
            "the detector",
            len(images),
            f"{width}x{height}",
            lambda fitting: self._predict(images[:fitting]),
            lambda fitting: f"set {self.batch_setting} in the config to {fitting}",
            "detector or image_size",
        )


def normalise(pixels: torch.Tensor, preprocessor: Preprocessor) -> torch.Tensor:
    """float32 of uint8 channels (N, 3, h, w), with the mean and standard deviation that the detector is used to."""
    mean, std = _channels(preprocessor, pixels.device)
    return (pixels.float() / 255 - mean) / std


@cache
def _channels(preprocessor: Preprocessor, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation (3, 1, 1) on the device; made once, since a copy there would wait for its work."""
    values = torch.tensor([preprocessor.mean, preprocessor.std], dtype=torch.float32).view(2, 3, 1, 1).to(device)
    return values[0], values[1]


def corners(boxes: torch.Tensor) -> torch.Tensor:
    """(…, 4) of centre, width and height -> x_min, y_min, x_max, y_max, also where a network gives a side below 0."""
    centre, size = boxes[..., :2], boxes[..., 2:].abs()
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def load_detector(
    model: str | Path,
    config: str | Path,
    preprocessor: str | Path,
    device: torch.device,
    image_size: dict[str, int] | None = None,
    precision: str = "auto",
) -> Detector:
    """Read the three files of a detector; `image_size` replaces the size of input that it was trained with.

    Raises InputError where the files do not belong together.
    """
    network = build_model(*with_own_backbone(read_config(config), read_weights(model)), source=model)
    return ready_to_detect(network, read_preprocessor(preprocessor).with_size(image_size), device, precision)


def ready_to_detect(
    network: PreTrainedModel, preprocessor: Preprocessor, device: torch.device, precision: str = "auto"
) -> Detector:
    """A detector of this network, which is changed for speed and cannot be trained after it."""
    fold_batch_norm(network)
    keep_heads_in_float32(network)
    network.to(device, memory_format=torch.channels_last)
    return Detector(network.eval(), preprocessor, device, precision)


def load_base(model: str | Path, config: str | Path) -> PreTrainedModel:
    """A detector to fine-tune for the one class insect, from its two files.

    Where it knows other classes (COCO), it gets new class heads, drawn from torch's random state; all else is kept.
    """
    settings, weights = with_own_backbone(read_config(config), read_weights(model))
    if number_of_classes(settings) == len(CLASS_NAMES):
        return build_model(settings, weights, source=model)
    return build_model(with_classes(settings, CLASS_NAMES), weights, source=model, new_classes=True)


def save_detector(
    network: PreTrainedModel,
    size: Preprocessor,
    model: str | Path,
    config: str | Path,
    preprocessor: str | Path,
) -> None:
    """Write the three files of a detector, with the names of the tensors that the hub uses."""
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        with write_aside(config) as part:
            part.write_bytes((Path(folder) / "config.json").read_bytes())
        write_serialized(model, (Path(folder) / "model.safetensors").read_bytes(), {})
    write_preprocessor(preprocessor, size)
