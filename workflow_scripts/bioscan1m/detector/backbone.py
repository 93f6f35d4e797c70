"""The ResNet of DETR and its kin under its two kinds of names: those of timm and torchvision, those of transformers.

The published checkpoints (facebook/detr-resnet-50, and the released crop tool that was fine-tuned from it) take their
backbone from timm. The layers are the same, with the stride in the 3x3 convolution; so renaming the tensors makes
transformers' own ResNet of them, and timm is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch

from bioscan1m.detector.batch_norm import COUNTER
from bioscan1m.foundation.errors import InputError

# The families whose published files have a backbone from timm; all others bring a backbone of transformers.
WITH_TIMM_BACKBONE = ("detr", "conditional_detr", "deformable_detr", "dab-detr")
# Blocks per stage; the other settings of transformers' ResNet are those of ResNet-50 by default.
DEPTHS = {"resnet50": [3, 4, 6, 3], "resnet101": [3, 4, 23, 3]}
TIMM_SETTINGS = ("use_timm_backbone", "use_pretrained_backbone", "backbone", "backbone_kwargs", "backbone_config")
TIMM_TENSOR = re.compile(r"(?P<prefix>.*backbone\.(?:conv_encoder\.)?model\.)(?P<name>(?:conv1|bn1|layer[1-4])\..*)")


def with_own_backbone(
    settings: Mapping[str, Any], weights: Mapping[str, torch.Tensor]
) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The same detector with transformers' own ResNet; one that has it already comes back as it is.

    `settings` are those of config.json. Raises InputError for another backbone.
    """
    if settings["model_type"] not in WITH_TIMM_BACKBONE:
        return dict(settings), dict(weights)
    weights = {own_name(name): tensor for name, tensor in weights.items() if not name.endswith(COUNTER)}
    backbone = settings.get("backbone_config") or {}
    if backbone.get("model_type") == "resnet":
        return dict(settings), weights
    name = backbone.get("backbone") or settings.get("backbone") or "resnet50"
    if name not in DEPTHS or settings.get("dilation"):
        raise InputError(
            f"the detector's backbone is {name}{' with dilation' if settings.get('dilation') else ''}; those that can "
            f"be read are {', '.join(DEPTHS)} without dilation"
        )
    kept = {key: value for key, value in settings.items() if key not in TIMM_SETTINGS}
    own = {"model_type": "resnet", "depths": DEPTHS[name], "out_features": _stages(settings)}
    return {**kept, "use_timm_backbone": False, "backbone_config": own}, weights


def _stages(settings: Mapping[str, Any]) -> list[str]:
    """The stages whose features the transformer sees: the last, or the last three where it takes several levels."""
    several = settings["model_type"] == "deformable_detr" and settings.get("num_feature_levels", 4) > 1
    return ["stage2", "stage3", "stage4"] if several else ["stage4"]


def own_name(name: str) -> str:
    """The name that a tensor of a backbone from timm has in transformers' own ResNet; other names stay."""
    match = TIMM_TENSOR.fullmatch(name)
    return match["prefix"] + _renamed(match["name"]) if match else name


def _renamed(name: str) -> str:
    """`layer2.0.bn3.bias` -> `encoder.stages.1.layers.0.layer.2.normalization.bias` and the like."""
    path, _, tensor = name.rpartition(".")
    stage, _, rest = path.partition(".")
    if not stage.startswith("layer"):
        return f"embedder.embedder.{_kind(stage)}.{tensor}"
    block, _, part = rest.partition(".")
    place = f"encoder.stages.{int(stage[-1]) - 1}.layers.{block}"
    if part.startswith("downsample"):
        return f"{place}.shortcut.{'convolution' if part.endswith('0') else 'normalization'}.{tensor}"
    return f"{place}.layer.{int(part[-1]) - 1}.{_kind(part)}.{tensor}"


def _kind(part: str) -> str:
    return "convolution" if part.startswith("conv") else "normalization"
