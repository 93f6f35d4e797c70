"""A released checkpoint becomes a model with the same logits, its classes by name, and is tested as any other."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm_vit import TimmViT
from torch import nn
from torchvision.models import resnet18
from toy_experiment import VIT, make_package, make_training, make_trial

from bioscan1m.experiments.evaluation import describe_test, evaluate_model
from bioscan1m.experiments.training_data import PackageImages, read_split
from bioscan1m.foundation.errors import InputError
from import_classifier import classes_by_images, import_released

RESNET18 = {"library": "torchvision", "name": "resnet18", "weights": None, "settings": {}}
NETWORKS = [(RESNET18, lambda classes: resnet18(num_classes=classes)), (VIT, TimmViT)]
BY_IMAGES = ["Diptera", "Coleoptera", "Hymenoptera"]  # of the toy experiment, most training images first


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> tuple[Path, Path]:
    """A package and its split."""
    return make_package(tmp_path_factory.mktemp("toy"))


def trial(backbone: dict[str, Any]) -> dict[str, Any]:
    return make_trial(backbone) | {"loss": None, "seed": None}


def release(path: Path, model: nn.Module, prefix: str = "module.", **more: object) -> Path:
    """Write a checkpoint as the released ones are."""
    state = {prefix + name: tensor for name, tensor in model.state_dict().items()}
    torch.save({"model": state, "epoch": 7, "optimizer": {"state": {}}, **more}, path)
    return path


def lively(model: nn.Module) -> nn.Module:
    """The model with weights of about 0.1, so that no part of it can be left out unseen."""
    generator = torch.Generator().manual_seed(0)
    for name, values in model.state_dict().items():
        if values.is_floating_point():
            values.normal_(0, 0.1, generator=generator)
        if name.endswith("running_var"):
            values.abs_().add_(0.5)
    return model.eval()


@pytest.mark.parametrize("prefix", ["module.", ""])
@pytest.mark.parametrize(("backbone", "network"), NETWORKS, ids=["torchvision", "timm"])
def test_the_logits_are_those_of_the_released_network(toy, tmp_path, backbone, network, prefix):
    model = lively(network(3))
    path = release(tmp_path / "a.tar", model, prefix, args=argparse.Namespace(lr=0.1))
    import_released(tmp_path / "model.safetensors", path, toy[1], trial(backbone))
    tested = evaluate_model(*toy, tmp_path / "model.safetensors")
    assert tested.predictions["test"].classes == sorted(BY_IMAGES)
    expected = released_logits(toy, model)[:, [BY_IMAGES.index(name) for name in sorted(BY_IMAGES)]]
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(tested.predictions["test"].logits, expected, rtol=1e-4, atol=1e-5)


def released_logits(toy: tuple[Path, Path], model: nn.Module) -> np.ndarray:
    """What the released code says of the test images: pixels from 0 to 1, and no more."""
    images = read_split(toy[1])[1]["test"]
    dataset = PackageImages(toy[0], images, make_training())
    pixels = np.stack([dataset.cropped(index, None) for index in range(len(images))])
    with torch.no_grad():
        return model(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255).numpy()


def test_its_test_is_described_as_any_other(toy, tmp_path):
    import_released(tmp_path / "m", release(tmp_path / "a.tar", TimmViT(3)), toy[1], trial(VIT))
    described = describe_test(evaluate_model(*toy, tmp_path / "m"), [1, 3])
    assert (described["backbone"], described["loss"], described["seed"]) == ("resnet50", None, None)
    assert described["images"]["test"] == 9 and described["majority"]["class"] == "Diptera"


@given(st.lists(st.integers(0, 6), min_size=1, max_size=40))
def test_classes_are_ranked_by_images_and_then_by_their_first(labels):
    ranked = classes_by_images(np.array(labels)).tolist()
    assert sorted(ranked) == sorted(set(labels))
    keys = [(-labels.count(one), labels.index(one)) for one in ranked]
    assert keys == sorted(keys)


@pytest.mark.parametrize(("backbone", "network"), NETWORKS, ids=["torchvision", "timm"])
def test_another_number_of_classes_is_named(toy, tmp_path, backbone, network):
    path = release(tmp_path / "a.tar", network(16))
    with pytest.raises(InputError, match=r"a\.tar: a classifier of 16 classes, but .*split\.parquet has 3"):
        import_released(tmp_path / "m", path, toy[1], trial(backbone))
    assert not (tmp_path / "m").exists()


def test_weights_of_another_network_are_named(toy, tmp_path):
    path = release(tmp_path / "a.tar", resnet18(num_classes=3))
    with pytest.raises(InputError, match=r"a\.tar: the weights are not those of this model: \d+ missing"):
        import_released(tmp_path / "m", path, toy[1], trial(VIT))


class Harmful:
    """What a malicious file does when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch ran",)


def test_a_file_that_would_run_commands_is_refused(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = release(tmp_path / "a.tar", TimmViT(3), args=Harmful())
    with pytest.raises(InputError, match=r"a\.tar: refused"):
        import_released(tmp_path / "m", path, toy[1], trial(VIT))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.tar"]
