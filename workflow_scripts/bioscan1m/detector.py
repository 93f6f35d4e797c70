"""The detector: DETR (Carion et al. 2020), as transformers implements it, in a folder of three files.

`config.json` and `model.safetensors` are as on the Hugging Face hub, `preprocessor.json` holds the size of the input.
The backbone is transformers' own ResNet; files whose backbone came from timm are read by renaming it
(detector_backbone.py). In a file the batch norm of the backbone is always the frozen one of DETR, whatever trained it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import DetrConfig, DetrForObjectDetection
from transformers.utils import logging as transformers_logging

from bioscan1m.atomic import write_aside
from bioscan1m.detector_backbone import with_own_backbone
from bioscan1m.detector_input import Preprocessor, read_preprocessor, write_preprocessor
from bioscan1m.device import mixed_precision
from bioscan1m.errors import InputError
from bioscan1m.weights import read_weights

# Its report of a load is worded for interactive use; build_model reports the same as an error.
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()

CLASS_NAMES = {0: "insect"}
CLASS_HEAD = "class_labels_classifier"
KEYS_SHOWN = 8


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
    """A model that is ready to predict, on its device."""

    model: DetrForObjectDetection
    preprocessor: Preprocessor
    device: torch.device

    @torch.inference_mode()
    def predict(self, images: list[np.ndarray]) -> Predictions:
        """Boxes and scores of inputs (3, h, w) uint8 of one size, so that no padding and no neighbour matters."""
        pixels = torch.from_numpy(np.stack(images)).to(self.device, memory_format=torch.channels_last)
        hidden_states = self._hidden_states(normalise(pixels, self.preprocessor))
        logits, boxes = class_logits_and_boxes(self.model, hidden_states)
        scores = logits.softmax(-1)[..., :-1].amax(-1)  # the last class is "no object"
        return Predictions(corners(boxes).clamp(0, 1).cpu().numpy(), scores.cpu().numpy())

    def _hidden_states(self, pixels: torch.Tensor) -> torch.Tensor:
        with mixed_precision(self.device):
            return self.model.model(pixels).last_hidden_state


def normalise(pixels: torch.Tensor, preprocessor: Preprocessor) -> torch.Tensor:
    """float32 of uint8 channels (N, 3, h, w), with mean 0 and standard deviation 1 over natural images."""
    mean, std = (
        torch.tensor(value, device=pixels.device).view(3, 1, 1) for value in (preprocessor.mean, preprocessor.std)
    )
    return (pixels.float() / 255 - mean) / std


def class_logits_and_boxes(
    model: DetrForObjectDetection, hidden_states: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The heads, always in float32: bfloat16 has steps of 0.4 %, which is 11 pixels of a photograph 2880 pixels wide.

    Boxes are centre, width and height in fractions of the image.
    """
    hidden_states = hidden_states.float()
    return model.class_labels_classifier(hidden_states), model.bbox_predictor(hidden_states).sigmoid()


def corners(boxes: torch.Tensor) -> torch.Tensor:
    """(…, 4) of centre, width and height -> x_min, y_min, x_max, y_max."""
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def load_detector(model: str | Path, config: str | Path, preprocessor: str | Path, device: torch.device) -> Detector:
    """Read the three files of a detector. Raises InputError where they do not belong together."""
    network = build_model(*with_own_backbone(read_config(config), read_weights(model)), source=model)
    network.to(device, memory_format=torch.channels_last)
    return Detector(network.eval(), read_preprocessor(preprocessor), device)


def load_base(model: str | Path, config: str | Path) -> DetrForObjectDetection:
    """A detector to fine-tune for the one class insect, from its two files.

    Where it knows other classes (COCO), it gets a new class head, drawn from torch's random state; all else is kept.
    """
    settings, weights = with_own_backbone(read_config(config), read_weights(model))
    if DetrConfig(**settings).num_labels == len(CLASS_NAMES):
        return build_model(settings, weights, source=model)
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith(CLASS_HEAD)}
    return build_model(with_classes(settings, CLASS_NAMES), kept, source=model, new_class_head=True)


def save_detector(
    network: DetrForObjectDetection,
    size: Preprocessor,
    model: str | Path,
    config: str | Path,
    preprocessor: str | Path,
) -> None:
    """Write the three files of a detector, with the names of the tensors that the hub uses."""
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        for name, path in (("config.json", config), ("model.safetensors", model)):
            with write_aside(path) as part:
                part.write_bytes((Path(folder) / name).read_bytes())
    write_preprocessor(preprocessor, size)


def read_config(path: str | Path) -> dict[str, Any]:
    """The settings of a DETR. Raises InputError for another file or another kind of model."""
    try:
        settings = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: no readable config of a detector ({error})") from None
    if not isinstance(settings, dict) or settings.get("model_type") != "detr":
        raise InputError(f"{path}: not the config of a DETR detector (model_type must be detr)")
    return settings


def with_classes(settings: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any]:
    """The settings of the same detector for these classes."""
    return {**settings, "id2label": dict(names), "label2id": {name: index for index, name in names.items()}}


def build_model(
    settings: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    source: str | Path,
    new_class_head: bool = False,
) -> DetrForObjectDetection:
    """The model with these settings and exactly these weights, save for a new class head if that is wanted.

    Raises InputError that lists missing, unexpected and wrongly shaped weights, or where one is not finite.
    """
    if unusable := [name for name, tensor in weights.items() if not tensor.isfinite().all()]:
        raise InputError(f"{source}: weights that are not finite: {_some(unusable)}; train the detector again")
    model, loaded = DetrForObjectDetection.from_pretrained(
        None,
        config=DetrConfig(**settings),
        state_dict=dict(weights),
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    missing = {name for name in loaded["missing_keys"] if not (new_class_head and name.startswith(CLASS_HEAD))}
    mismatched = [f"{name} {tuple(found)}, not {tuple(wanted)}" for name, found, wanted in loaded["mismatched_keys"]]
    problems = {"missing": missing, "unexpected": loaded["unexpected_keys"], "of another shape": mismatched}
    if any(problems.values()):
        described = "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in problems.items() if names)
        raise InputError(f"{source}: not the weights of this architecture: {described}")
    return model


def _some(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:KEYS_SHOWN]) + (", …" if len(names) > KEYS_SHOWN else "")
