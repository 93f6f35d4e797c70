"""The released checkpoint, a file of PyTorch Lightning with a backbone from timm, becomes a detector or is refused."""

from __future__ import annotations

import pytest
import torch
from released_detectors import BACKBONE, as_released, write_checkpoint
from small_detectors import PREPROCESSOR, SMALL_TRANSFORMER, write_detector
from torchvision.models import resnet50
from torchvision.models.resnet import Bottleneck, ResNet

import import_detector
from bioscan1m.detector import backbone
from bioscan1m.detector.model import load_base, save_detector
from bioscan1m.foundation.errors import InputError
from import_detector import read_checkpoint


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
    monkeypatch.setitem(backbone.DEPTHS, "resnet50", [1, 1, 1, 1])
    monkeypatch.setattr(import_detector, "DETR_RESNET_50", {**import_detector.DETR_RESNET_50, **SMALL_TRANSFORMER})
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
