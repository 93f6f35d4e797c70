"""A detector that is ready to find insects, and its three files.

`config.json` and `model.safetensors` are as on the Hugging Face hub, `preprocessor.json` has the size of the input. The
backbone is transformers' own ResNet; the tensors of a backbone from timm are renamed (backbone.py). In a file the batch
norm of the backbone is always the frozen one, whatever trained it.
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

from bioscan1m.detector.architecture import (
    CLASS_NAMES,
    box_scores,
    build_model,
    class_count,
    keep_heads_in_float32,
    make_config,
    read_config,
    with_classes,
)
from bioscan1m.detector.backbone import with_own_backbone
from bioscan1m.detector.batch_norm import fold_batch_norm
from bioscan1m.detector.preprocessing import Preprocessor, read_preprocessor, write_preprocessor
from bioscan1m.foundation.atomic import write_aside
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.device import mixed_precision
from bioscan1m.networks.device_memory import too_little_memory, within_memory
from bioscan1m.networks.weights import read_weights, write_serialized


class FoundBoxes(NamedTuple):
    """All queries of a batch: boxes (N, queries, 4), corners in fractions of the image, and scores (N, queries)."""

    boxes: np.ndarray
    scores: np.ndarray

    def best(self) -> tuple[np.ndarray, np.ndarray]:
        """The box (N, 4) of the highest score of each image, as the paper crops by it (A7.1), and that score (N,)."""
        rows, queries = np.arange(len(self.scores)), self.scores.argmax(axis=1)
        return self.boxes[rows, queries], self.scores[rows, queries]


@dataclass(frozen=True)
class Detector:
    """A model that is ready to predict, on its device.

    `precision` is auto, float32 or bfloat16 (device.py); `batch_setting` is the key of the config with the number of
    images in a batch, for messages.
    """

    model: PreTrainedModel
    preprocessor: Preprocessor
    device: torch.device
    precision: str = "auto"
    batch_setting: str = "detector.detection.batch_size"

    def predict(self, images: list[np.ndarray]) -> FoundBoxes:
        """Boxes and scores of inputs (3, h, w) uint8 of one size, so that none is padded.

        Raises InputError where there is too little memory for so many.
        """
        return within_memory(lambda: self._predict(images), lambda: self._too_little_memory(images))

    @torch.inference_mode()
    def _predict(self, images: list[np.ndarray]) -> FoundBoxes:
        pixels = torch.from_numpy(np.stack(images))
        if self.device.type == "cuda":
            pixels = pixels.pin_memory()
        pixels = normalise(pixels.to(self.device, non_blocking=True), self.preprocessor)
        with mixed_precision(self.device, self.precision):
            found = self.model(pixels.contiguous(memory_format=torch.channels_last))
        scores = box_scores(found.logits.float(), class_count(self.model.config))
        return FoundBoxes(corners(found.pred_boxes.float()).clamp(0, 1).cpu().numpy(), scores.cpu().numpy())

    def _too_little_memory(self, images: list[np.ndarray]) -> InputError:
        _, height, width = images[0].shape
        return too_little_memory(
            what="the detector",
            images=len(images),
            pixels=f"{width}x{height}",
            run=lambda fitting: self._predict(images[:fitting]),
            advice=lambda fitting: f"set {self.batch_setting} in the config to {fitting}",
            smaller="detector or image_size",
        )


def normalise(pixels: torch.Tensor, preprocessor: Preprocessor) -> torch.Tensor:
    """float32 of uint8 channels (N, 3, h, w), normalised by the mean and standard deviation of the preprocessor."""
    mean, std = _channels(preprocessor, pixels.device)
    return (pixels.float() / 255 - mean) / std


@cache
def _channels(preprocessor: Preprocessor, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation (3, 1, 1) on the device; cached, since each copy would wait for the device's work."""
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
    """Read a detector.

    Args:
        model: its model.safetensors.
        config: its config.json.
        preprocessor: its preprocessor.json.
        device: where it will predict.
        image_size: `shortest_side` and `longest_side` in pixels that replace those of the training.
        precision: auto, float32 or bfloat16.

    Returns:
        The detector, on the device.

    Raises:
        InputError: the files do not belong together.
    """
    network = build_model(*with_own_backbone(read_config(config), read_weights(model)), source=model)
    return ready_to_detect(network, read_preprocessor(preprocessor).with_size(image_size), device, precision)


def ready_to_detect(
    network: PreTrainedModel, preprocessor: Preprocessor, device: torch.device, precision: str = "auto"
) -> Detector:
    """A detector of this network, which is changed in place for speed: it cannot be trained afterwards."""
    fold_batch_norm(network)
    keep_heads_in_float32(network)
    return Detector(on_device(network, device).eval(), preprocessor, device, precision)


def on_device(network: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    """The network on the device, channels last, which convolutions are fastest with."""
    return network.to(device, memory_format=torch.channels_last)


def load_base(model: str | Path, config: str | Path) -> PreTrainedModel:
    """A detector to fine-tune for the one class insect, from its two files.

    One that was trained for other classes (COCO) gets new class heads, initialised from torch's random state.
    """
    settings, weights = with_own_backbone(read_config(config), read_weights(model))
    if class_count(make_config(settings)) == len(CLASS_NAMES):
        return build_model(settings, weights, source=model)
    return build_model(with_classes(settings, CLASS_NAMES), weights, source=model, new_classes=True)


def save_detector(
    network: PreTrainedModel,
    size: Preprocessor,
    model: str | Path,
    config: str | Path,
    preprocessor: str | Path,
) -> None:
    """Write the three files of a detector, with the names of the tensors that the hub uses.

    Args:
        network: the model.
        size: its preprocessor.
        model: model.safetensors to write.
        config: config.json to write.
        preprocessor: preprocessor.json to write.
    """
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        with write_aside(config) as part:
            part.write_bytes((Path(folder) / "config.json").read_bytes())
        write_serialized(model, (Path(folder) / "model.safetensors").read_bytes(), {})
    write_preprocessor(preprocessor, size)
