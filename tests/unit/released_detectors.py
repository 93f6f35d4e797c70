"""Checkpoints of detectors in the form of the released one."""

from __future__ import annotations

from pathlib import Path

import torch
from torchvision.models.resnet import ResNet
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

BACKBONE = "model.backbone.conv_encoder.model."


def as_released(
    backbone: ResNet, depths: list[int], prefix: str = "model.", **settings: int
) -> dict[str, torch.Tensor]:
    """The state of a DETR with this backbone, named as by Lightning, the hub and timm (as torchvision)."""
    config = DetrConfig(
        use_timm_backbone=False,
        backbone_config=ResNetConfig(depths=depths, out_features=["stage4"]),
        num_labels=1,
        **settings,
    )
    model = DetrForObjectDetection(config)
    own = {name.replace("model.backbone.model.", BACKBONE): tensor for name, tensor in model.state_dict().items()}
    state = {name: tensor for name, tensor in own.items() if not name.startswith(BACKBONE)}
    state |= {BACKBONE + name: tensor for name, tensor in backbone.state_dict().items() if not name.startswith("fc.")}
    return {prefix + _hub_name(name): tensor for name, tensor in state.items()}


def _hub_name(name: str) -> str:
    return name.replace(".o_proj.", ".out_proj.").replace(".mlp.fc", ".fc")


def write_checkpoint(path: Path, state: dict[str, torch.Tensor], **more: object) -> Path:
    """The state in a file of Lightning."""
    torch.save({"epoch": 9, "pytorch-lightning_version": "2.0.2", "state_dict": state, **more}, path)
    return path
