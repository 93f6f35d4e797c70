"""A detector as a network: any that transformers can load for object detection, built from settings and weights.

DETR is the paper's (A7.1). Its kin (RT-DETR, D-FINE, Conditional DETR, …) share its form: some queries, each with a
box and with scores of the classes. They differ in whether there is a class "no object", in what they make of padding
and in the sizes of input they take; what is needed of that is asked here, once.
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

from bioscan1m.errors import InputError

# Its report of a load is worded for interactive use; build_model reports the same as an error.
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()

CLASS_NAMES = {0: "insect"}
KEYS_SHOWN = 8
# What the parts of a network that score and place boxes are called, in all families.
HEAD = re.compile(r"(^|[._])(bbox|class|score)(_|\.)")
CLASS_HEAD = re.compile(r"(^|[._])(class|score)(_|\.)")


def read_config(path: str | Path) -> dict[str, Any]:
    """The settings of a detector. Raises InputError for another file or another kind of model."""
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


def number_of_classes(settings: Mapping[str, Any]) -> int:
    """How many classes a detector of these settings knows."""
    return make_config(settings).num_labels


def make_config(settings: Mapping[str, Any]) -> PreTrainedConfig:
    """transformers' configuration of these settings, for inputs of any size."""
    any_size = {"anchor_image_size": None} if "anchor_image_size" in settings else {}
    return CONFIG_MAPPING[settings["model_type"]](**{**settings, **any_size})


def build_model(
    settings: Mapping[str, Any],
    weights: Mapping[str, torch.Tensor],
    source: str | Path,
    new_classes: bool = False,
) -> PreTrainedModel:
    """The model with these settings and exactly these weights; with `new_classes` its class heads are drawn anew.

    Raises InputError that lists missing, unexpected and wrongly shaped weights, or where one is not finite.
    """
    if unusable := [name for name, tensor in weights.items() if not tensor.isfinite().all()]:
        raise InputError(f"{source}: weights that are not finite: {_some(unusable)}; train the detector again")
    config = make_config(settings)
    model, loaded = _family(config, source).from_pretrained(
        None,
        config=config,
        state_dict=dict(weights),
        dtype=torch.float32,
        output_loading_info=True,
        ignore_mismatched_sizes=True,
    )
    mismatched = {name: f"{tuple(found)}, not {tuple(wanted)}" for name, found, wanted in loaded["mismatched_keys"]}
    problems = {
        "missing": set(loaded["missing_keys"]),
        "unexpected": set(loaded["unexpected_keys"]),
        "of another shape": {
            f"{name} {shapes}" for name, shapes in mismatched.items() if not (new_classes and CLASS_HEAD.search(name))
        },
    }
    if any(problems.values()):
        described = "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in problems.items() if names)
        raise InputError(f"{source}: not the weights of this architecture: {described}")
    return model


def keep_heads_in_float32(model: nn.Module) -> None:
    """Let the layers that score and place boxes compute in float32 also within mixed precision.

    bfloat16 has steps of 0.4 %, which is 11 pixels of a photograph 2880 pixels wide.
    """
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear) and HEAD.search(f"{name}."):
            layer.forward = _in_float32(layer.forward)


def box_scores(logits: torch.Tensor, classes: int) -> torch.Tensor:
    """The score (N, queries) that each query's box holds something, from logits (N, queries, classes [+ 1]).

    One logit more than classes means that the last is "no object" (DETR); else each class is yes or no by itself.
    """
    scores = logits.softmax(-1)[..., :-1] if logits.shape[-1] == classes + 1 else logits.sigmoid()
    return scores.amax(-1)


def understands_padding(model: PreTrainedModel) -> bool:
    """Whether the model's boxes are fractions of the image without the padding beside it, by a mask of the pixels.

    The real-time detectors (those with `feat_strides`) take a mask and make no use of it.
    """
    return "pixel_mask" in inspect.signature(model.forward).parameters and not hasattr(model.config, "feat_strides")


def size_multiple(settings: Mapping[str, Any]) -> int:
    """What width and height of an input must be multiples of: the coarsest stride where features are joined."""
    return max(getattr(make_config(settings), "feat_strides", None) or [1])


def _family(config: PreTrainedConfig, source: str | Path) -> type[PreTrainedModel]:
    if getattr(config, "use_timm_backbone", False):
        raise InputError(f"{source}: a {config.model_type} with a backbone of timm cannot be read; choose another")
    return MODEL_FOR_OBJECT_DETECTION_MAPPING[type(config)]


def _in_float32(forward: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    def precise(features: torch.Tensor) -> torch.Tensor:
        with torch.autocast(features.device.type, enabled=False):
            return forward(features.float())

    return precise


def _some(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:KEYS_SHOWN]) + (", …" if len(names) > KEYS_SHOWN else "")
