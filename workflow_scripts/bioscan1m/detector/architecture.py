"""A detector as a network: any that transformers can load for object detection, built from settings and weights.

DETR is the paper's (A7.1). Its relatives (RT-DETR, D-FINE, Conditional DETR, …) have its form: a number of queries,
each with a box and with scores of the classes. They differ in the class "no object", in the mask for padding and in the
sizes of input; the functions at the end of this module hide these differences.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CONFIG_MAPPING, MODEL_FOR_OBJECT_DETECTION_MAPPING, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES as FAMILIES
from transformers.utils import logging as transformers_logging

from bioscan1m.foundation.errors import InputError

# build_model raises an error where transformers would only print a report.
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()

CLASS_NAMES = {0: "insect"}
KEYS_SHOWN = 8
# Names of the layers that score and place boxes, in all families.
HEAD = re.compile(r"(^|[._])(bbox|class|score)(_|\.)")
CLASS_HEAD = re.compile(r"(^|[._])(class|score)(_|\.)")


def read_config(path: str | Path) -> dict[str, Any]:
    """The settings of a detector, which are the content of its config.json.

    Raises InputError for another file or another kind of model.
    """
    try:
        settings = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: no readable config of a detector ({error})") from None
    model_type = settings.get("model_type") if isinstance(settings, dict) else None
    if model_type not in FAMILIES:
        raise InputError(
            f"{path}: not the config of a detector (model_type is {model_type}, not one of {', '.join(FAMILIES)})"
        )
    return settings


def with_classes(settings: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any]:
    """The settings of the same detector for these classes."""
    return {**settings, "id2label": dict(names), "label2id": {name: index for index, name in names.items()}}


def class_count(config: PreTrainedConfig) -> int:
    """The number of classes of a detector, "no object" not included."""
    return len(config.id2label or ())


def make_config(settings: Mapping[str, Any]) -> PreTrainedConfig:
    """The configuration by transformers of these settings, for inputs of any size."""
    any_size = {"anchor_image_size": None} if "anchor_image_size" in settings else {}
    return CONFIG_MAPPING[settings["model_type"]](**{**settings, **any_size})


def build_model(
    settings: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    source: str | Path,
    new_classes: bool = False,
) -> PreTrainedModel:
    """The model with these settings and exactly these weights.

    Args:
        settings: the content of config.json.
        weights: all tensors of the model, by their names in transformers.
        source: file of the weights, for messages.
        new_classes: a class head whose shape differs is initialised from torch's random state instead.

    Returns:
        The model, on the CPU in float32.

    Raises:
        InputError: weights are missing, unexpected, of another shape or not finite; the message lists them.
    """
    if unusable := [name for name, tensor in weights.items() if not tensor.isfinite().all()]:
        raise InputError(f"{source}: weights that are not finite: {_some(unusable)}; train the detector again")
    config = make_config(settings)
    loaded: Any = _family(config, source).from_pretrained(
        None,
        config=config,
        state_dict=dict(weights),
        dtype=torch.float32,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    model, report = loaded  # a pair, by output_loading_info
    if problems := _problems(report, new_classes):
        raise InputError(f"{source}: not the weights of this architecture: {problems}")
    return model


def _problems(report: Mapping[str, Any], new_classes: bool) -> str:
    """The weights that did not fit, by transformers' report on loading them; empty where all did."""
    shapes = {name: f"{name} {tuple(found)}, not {tuple(wanted)}" for name, found, wanted in report["mismatched_keys"]}
    problems = {
        "missing": report["missing_keys"],
        "unexpected": report["unexpected_keys"],
        "of another shape": [text for name, text in shapes.items() if not (new_classes and CLASS_HEAD.search(name))],
    }
    return "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in problems.items() if names)


def keep_heads_in_float32(model: nn.Module) -> None:
    """Make the layers that score and place boxes compute in float32 also under mixed precision.

    bfloat16 has steps of 0.4 %, which is 11 pixels of a photograph 2880 pixels wide.
    """
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear) and HEAD.search(f"{name}."):
            layer.forward = _in_float32(layer.forward)  # type: ignore[method-assign, assignment]  # torch calls it


def box_scores(logits: torch.Tensor, classes: int) -> torch.Tensor:
    """The probability that each query's box contains an object: the highest of its classes.

    Args:
        logits: (N, queries, classes) with a sigmoid for each class, or (N, queries, classes + 1) with a softmax over
            the classes and "no object", the last (DETR).
        classes: the number of classes.

    Returns:
        (N, queries), 0 to 1.
    """
    scores = logits.softmax(-1)[..., :-1] if logits.shape[-1] == classes + 1 else logits.sigmoid()
    return scores.amax(-1)


def understands_padding(model: PreTrainedModel) -> bool:
    """Whether the model uses a mask of the pixels, so that its boxes are fractions of the image without padding.

    The real-time detectors (those with `feat_strides`) accept a mask and ignore it.
    """
    return "pixel_mask" in inspect.signature(model.forward).parameters and not hasattr(model.config, "feat_strides")


def size_multiple(settings: Mapping[str, Any]) -> int:
    """Width and height of an input must be multiples of this: the coarsest stride of the features that are joined."""
    return max(getattr(make_config(settings), "feat_strides", None) or [1])


def _family(config: PreTrainedConfig, source: str | Path) -> type[PreTrainedModel]:
    if getattr(config, "use_timm_backbone", False):
        raise InputError(f"{source}: a {config.model_type} with a backbone of timm cannot be read; choose another")
    model_class: Any = MODEL_FOR_OBJECT_DETECTION_MAPPING[type(config)]
    return model_class


def _in_float32(forward: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    def precise(features: torch.Tensor) -> torch.Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return forward(features.float())

    return precise


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:KEYS_SHOWN]) + (", …" if len(ordered) > KEYS_SHOWN else "")
