"""The released checkpoint, a file of PyTorch Lightning with a backbone from timm, becomes a detector or is refused."""

from __future__ import annotations

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from small_detectors import PREPROCESSOR, SMALL_TRANSFORMER, write_detector
from torchvision.models import resnet50
from torchvision.models.resnet import Bottleneck, ResNet
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

from bioscan1m.detector import detector_backbone, detector_checkpoint
from bioscan1m.detector.detector import load_base, save_detector
from bioscan1m.detector.detector_checkpoint import read_checkpoint
from bioscan1m.errors import InputError

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
    torch.save({"epoch": 9, "pytorch-lightning_version": "2.0.2", "state_dict": state, **more}, path)
    return path


def lively(backbone: ResNet) -> ResNet:
    """The backbone with batch norm statistics that are not the initial ones."""
    for name, buffer in backbone.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    return backbone.eval()


@pytest.fixture
def small(monkeypatch) -> dict[str, torch.Tensor]:
    """A checkpoint's state with one block a stage and a small transformer, which the import takes for the released."""
    torch.manual_seed(0)
    monkeypatch.setitem(detector_backbone.DEPTHS, "resnet50", [1, 1, 1, 1])
    monkeypatch.setattr(
        detector_checkpoint, "DETR_RESNET_50", {**detector_checkpoint.DETR_RESNET_50, **SMALL_TRANSFORMER}
    )
    return as_released(lively(ResNet(Bottleneck, [1, 1, 1, 1])), [1, 1, 1, 1], **SMALL_TRANSFORMER)


def test_the_released_architecture_is_read_with_the_same_features(tmp_path):
    torch.manual_seed(0)
    backbone = lively(resnet50())
    model = read_checkpoint(write_checkpoint(tmp_path / "released.ckpt", as_released(backbone, [3, 4, 6, 3])))
    assert model.config.num_queries == 100 and model.config.id2label == {0: "insect"}
    pixels = torch.randn(1, 3, 64, 96)
    features = pixels
    with torch.inference_mode():
        for part in list(backbone.children())[:-2]:  # up to the last stage
            features = part(features)
        ours = model.model.backbone(pixels, torch.ones(1, 64, 96))[-1][0]
    torch.testing.assert_close(ours, features, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prefix", ["", "model.", "model.model.", "detector.net."])
def test_any_prefix_is_taken_off(tmp_path, small, prefix):
    state = {prefix + name.removeprefix("model."): tensor for name, tensor in small.items()}
    model = read_checkpoint(write_checkpoint(tmp_path / "a.ckpt", state))
    torch.testing.assert_close(model.bbox_predictor.layers[0].weight, small["model.bbox_predictor.layers.0.weight"])


def test_the_imported_detector_is_saved_and_loaded(tmp_path, small):
    model = read_checkpoint(write_checkpoint(tmp_path / "a.ckpt", small))
    paths = write_detector(tmp_path / "detector")
    save_detector(model, PREPROCESSOR, *paths)
    loaded = load_base(*paths[:2])
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=0, atol=0)


def test_missing_and_unexpected_keys_are_listed(tmp_path, small):
    small["model." + BACKBONE + "layer1.7.conv1.weight"] = small.pop("model." + BACKBONE + "layer1.0.conv1.weight")
    with pytest.raises(InputError) as error:
        read_checkpoint(write_checkpoint(tmp_path / "a.ckpt", small))
    message = str(error.value)
    assert "a.ckpt: not the weights of this architecture" in message
    assert "1 missing" in message and "encoder.stages.0.layers.0.layer.0.convolution.weight" in message
    assert "1 unexpected" in message and "encoder.stages.0.layers.7.layer.0.convolution.weight" in message


def test_another_kind_of_model_is_refused(tmp_path):
    state = {f"model.{name}": tensor for name, tensor in torch.nn.Linear(3, 2).state_dict().items()}
    with pytest.raises(InputError, match=r"a.ckpt: not a DETR for object detection"):
        read_checkpoint(write_checkpoint(tmp_path / "a.ckpt", state))


class Harmful:
    """What a malicious file does when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


class Calling(Harmful):
    """The same by a function that no list of forbidden modules has."""

    def __reduce__(self) -> tuple:
        return tempfile.mkdtemp, ("", self.path.name, str(self.path.parent))


def test_a_file_that_would_run_commands_is_refused(tmp_path):
    path = write_checkpoint(tmp_path / "a.ckpt", {}, callbacks=Harmful(tmp_path / "ran"))
    with pytest.raises(InputError, match=r"a.ckpt: refused, since it holds more than tensors") as error:
        read_checkpoint(path)
    assert "posix" in str(error.value) and "weights_only" not in str(error.value)
    assert not (tmp_path / "ran").exists()


def test_code_in_a_file_is_not_run(tmp_path, small):
    path = write_checkpoint(tmp_path / "a.ckpt", small, callbacks=Calling(tmp_path / "ran"))
    assert read_checkpoint(path).config.num_labels == 1
    assert not list(tmp_path.glob("ran*"))


class AttributeDict(dict):
    """Lightning keeps a module's settings in a class of its own, a dict."""


def test_settings_that_lightning_keeps_are_passed_over(tmp_path, small):
    settings = AttributeDict(lr=1e-4, weight_decay=1e-4, folder=Path("wells"), run=argparse.Namespace(epochs=10))
    state = {"ModelCheckpoint{'monitor': 'validation_loss'}": {"best": torch.tensor(0.4), "folder": Path("out")}}
    numbers = {"scalar": np.float64(0.5), "array": np.arange(3), "type": np.dtype("int64"), "step": partial(max, 1)}
    path = write_checkpoint(tmp_path / "a.ckpt", small, hyper_parameters=settings, callbacks=state, loops=numbers)
    assert read_checkpoint(path).config.id2label == {0: "insect"}


@pytest.mark.parametrize("content", [b"", b"<html>quota exceeded</html>", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.ckpt"):
        read_checkpoint(path)


def test_a_checkpoint_without_state_and_a_missing_file_are_named(tmp_path):
    torch.save({"epoch": 1}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="no state_dict"):
        read_checkpoint(tmp_path / "a.ckpt")
    torch.save({"state_dict": {"model.class_labels_classifier.weight": 1.5}}, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match=r"no tensors: \['model.class_labels_classifier.weight'\]"):
        read_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="no such file"):
        read_checkpoint(tmp_path / "b.ckpt")
