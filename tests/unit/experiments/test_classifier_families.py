"""Image classifiers of many families are built by name, learn, and take pretrained weights but for their head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from bioscan1m.experiments.classifiers import (
    build_classifier,
    class_logits,
    load_backbone_weights,
    load_trained_weights,
)
from bioscan1m.experiments.settings import Backbone

torch.set_num_threads(1)
SIZE, CLASSES, PUBLISHED_CLASSES = 64, 5, 7
TRANSFORMER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 16}
STAGES = {"hidden_sizes": [8, 16], "depths": [1, 1]}
TIMM = "tf_"  # begins the name of a network of this library
FAMILIES: dict[str, dict[str, Any]] = {  # smaller than any of their kind
    "mnasnet0_5": {},
    "mobilenet_v3_small": {"width_mult": 0.25},
    "shufflenet_v2_x0_5": {},
    "squeezenet1_1": {},
    "tf_efficientnet_lite0": {},
    "BeitForImageClassification": {**TRANSFORMER, "intermediate_size": 32},
    "ConvNextForImageClassification": {**STAGES, "num_stages": 2},
    "ConvNextV2ForImageClassification": {**STAGES, "num_stages": 2},
    "DeiTForImageClassification": {**TRANSFORMER, "intermediate_size": 32},
    "Dinov2ForImageClassification": TRANSFORMER,
    "Dinov2WithRegistersForImageClassification": TRANSFORMER,
    "EfficientNetForImageClassification": {
        "width_coefficient": 0.25, "depth_coefficient": 0.25, "hidden_dim": 320,
    },
    "FocalNetForImageClassification": {
        "embed_dim": 8, "depths": [1, 1], "focal_levels": [2, 2], "focal_windows": [3, 3], "hidden_sizes": [8, 16],
    },
    "HieraForImageClassification": {"embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1]},
    "MobileNetV2ForImageClassification": {"depth_multiplier": 0.25},
    "PoolFormerForImageClassification": {"hidden_sizes": [8] * 4, "depths": [1] * 4},
    "PvtV2ForImageClassification": {"hidden_sizes": [8] * 4, "depths": [1] * 4, "num_attention_heads": [1] * 4},
    "RegNetForImageClassification": {**STAGES, "embedding_size": 8, "groups_width": 8},
    "ResNetForImageClassification": {**STAGES, "embedding_size": 8},
    "SwinForImageClassification": {"embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
    "Swinv2ForImageClassification": {"embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
    "ViTForImageClassification": {**TRANSFORMER, "intermediate_size": 32},
}  # fmt: skip


def build(name: str, classes: int) -> nn.Module:
    """A network of the family."""
    library = "transformers" if name.endswith("ForImageClassification") else "torchvision"
    if name.startswith(TIMM):
        pytest.importorskip("timm")  # an extra
        library = "timm"
    return build_classifier(Backbone(library, name, FAMILIES[name]), classes, SIZE)


def publish(model: nn.Module, folder: Path) -> None:
    """Save weights as the library does."""
    if hasattr(model, "save_pretrained"):
        model.save_pretrained(folder)
    else:
        save_file(model.state_dict(), folder / "model.safetensors")


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_learns_and_takes_pretrained_weights_but_for_the_head(name, tmp_path):
    published, model = build(name, PUBLISHED_CLASSES), build(name, CLASSES)
    publish(published, tmp_path)
    load_backbone_weights(model, tmp_path)
    own, source = dict(model.named_parameters()), dict(published.named_parameters())
    other = [key for key in own if own[key].shape != source[key].shape or not torch.equal(own[key], source[key])]
    assert 1 <= len(other) <= 2 and all(len(own[key]) == CLASSES for key in other)
    logits = class_logits(model.train(), torch.randn(4, 3, SIZE, SIZE))
    assert logits.shape == (4, CLASSES)
    functional.cross_entropy(logits, torch.arange(4)).backward()
    assert all(own[key].grad.abs().sum() > 0 for key in other)


@pytest.mark.parametrize("name", ["mnasnet0_5", "SwinForImageClassification"])
def test_trained_weights_are_all_loaded(name, tmp_path):
    trained, again = build(name, CLASSES), build(name, CLASSES)
    save_file(trained.state_dict(), tmp_path / "model.safetensors")
    load_trained_weights(again, tmp_path / "model.safetensors")
    assert all(torch.equal(tensor, trained.state_dict()[key]) for key, tensor in again.state_dict().items())
