"""Any classifier of the two libraries is built by name; weights that do not fit are named."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import get_model
from toy_experiment import RESNET as RESNET_VALUES
from transformers import ViTConfig, ViTForImageClassification, ViTModel

from bioscan1m.experiments.classifiers import (
    build_classifier,
    class_logits,
    describe_model,
    load_backbone_weights,
    load_trained_weights,
    with_published_settings,
)
from bioscan1m.experiments.results_tables import summarise_backbones
from bioscan1m.experiments.settings import Backbone, settings_of
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.weights import read_recipe, write_weights

torch.set_num_threads(1)
VIT_SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "patch_size": 16,
}


RESNET = settings_of(Backbone, RESNET_VALUES)


def backbone(library: str, name: str, **settings: object) -> Backbone:
    """A backbone with settings."""
    return Backbone(library, name, settings)


VIT = backbone("transformers", "ViTForImageClassification", **VIT_SIZES)


@pytest.mark.parametrize(
    "described",
    [
        backbone("torchvision", "resnet18"),
        backbone("torchvision", "mobilenet_v3_small", width_mult=0.5),
        backbone("torchvision", "squeezenet1_1"),
        VIT,
        RESNET,
    ],
    ids=lambda described: described.name,
)
def test_models_of_both_libraries_give_one_logit_per_class(described):
    model = build_classifier(described, classes=5, image_size=64)
    assert class_logits(model, torch.zeros(2, 3, 64, 64)).shape == (2, 5)


@pytest.mark.parametrize(
    ("described", "pretrained"),
    [
        (backbone("torchvision", "resnet50"), 25_557_032),
        (backbone("transformers", "ViTForImageClassification"), 86_567_656),
    ],
    ids=["resnet50", "vit_b_16"],
)
@pytest.mark.parametrize("classes", [16, 40])
def test_the_networks_of_the_paper_have_the_parameters_of_table_a2(described, pretrained, classes):
    """Counted from the architecture without its weights, and with the head of an experiment."""
    with torch.device("meta"):
        if described.library == "torchvision":
            model = get_model(described.name, num_classes=classes)
        else:
            model = ViTForImageClassification(ViTConfig(num_labels=classes))
    names = {"resnet50": "resnet50", "ViTForImageClassification": "vit_b_16"}
    run = {"backbone": names[described.name], "classes": ["a"] * classes, "model": describe_model(described, model)}
    table = summarise_backbones([run])
    assert table["million_parameters"].tolist() == [round(pretrained / 1e6, 2)]
    assert table["million_parameters_published"].notna().all()


def test_a_description_names_the_true_model():
    described = describe_model(VIT, build_classifier(VIT, 5, 32))
    assert vars(VIT).items() <= described.items()
    assert described["parameters"] > 1000


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (backbone("torchvision", "resnet51"), "resnet51"),
        (backbone("torchvision", "resnet18", depth=3), "depth"),
        (backbone("transformers", "ViT"), "no image classifier 'ViT'"),
        (backbone("transformers", "ViTForImageClassification", hiden_size=8), r"no settings \['hiden_size'\]"),
        (backbone("transformers", "ViTForImageClassification", hidden_size="wide"), "cannot build"),
        (backbone("torchvision", "vit_b_32"), "does not take images of 64 pixels"),
    ],
)
def test_what_cannot_be_built_is_named(described, message):
    with pytest.raises(InputError, match=message):
        build_classifier(described, classes=5, image_size=64)


def test_torchvision_weights_are_loaded_but_for_the_head(tmp_path):
    source = build_classifier(backbone("torchvision", "resnet18"), 1000, 64)
    save_file(source.state_dict(), tmp_path / "model.safetensors")
    model = build_classifier(backbone("torchvision", "resnet18"), 4, 64)
    load_backbone_weights(model, tmp_path)
    assert torch.equal(model.layer4[1].conv2.weight, source.layer4[1].conv2.weight)
    assert model.fc.weight.shape == (4, 512)


def test_the_head_stays_new_where_the_number_of_classes_is_the_same(tmp_path):
    source, model = (build_classifier(RESNET, 4, 32) for _ in range(2))
    source.save_pretrained(tmp_path)
    head = model.classifier[1].weight.clone()
    load_backbone_weights(model, tmp_path)
    assert torch.equal(model.classifier[1].weight, head)


def test_transformers_weights_are_loaded_as_the_library_saves_them(tmp_path):
    source = ViTForImageClassification(ViTConfig(image_size=32, num_labels=7, **VIT_SIZES))
    source.save_pretrained(tmp_path)
    described = with_published_settings(backbone("transformers", "ViTForImageClassification"), tmp_path)
    assert VIT_SIZES.items() <= described.settings.items()
    model = build_classifier(described, 3, 32)
    load_backbone_weights(model, tmp_path)
    own, published = model.state_dict(), source.state_dict()
    assert all(torch.equal(own[name], published[name]) for name in own if not name.startswith("classifier"))
    assert own["classifier.weight"].shape == (3, 16)


def test_weights_of_another_task_may_have_a_pooler_and_no_head(tmp_path):
    source = ViTModel(ViTConfig(image_size=32, **VIT_SIZES))
    source.save_pretrained(tmp_path)
    model = build_classifier(VIT, 3, 32)
    load_backbone_weights(model, tmp_path)
    assert torch.equal(model.vit.layernorm.weight, source.layernorm.weight)
    assert torch.equal(model.vit.embeddings.cls_token, source.embeddings.cls_token)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (replace(VIT, settings={**VIT_SIZES, "num_hidden_layers": 3}), "missing"),
        (replace(VIT, settings={**VIT_SIZES, "num_hidden_layers": 1}), "unknown"),
        (replace(VIT, settings={**VIT_SIZES, "intermediate_size": 16}), "of another shape"),
        (backbone("torchvision", "resnet18"), r"missing \(bn1\..* unknown \(classifier"),
    ],
)
def test_weights_of_another_network_are_an_error(tmp_path, described, message):
    ViTForImageClassification(ViTConfig(image_size=32, **VIT_SIZES)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=message):
        load_backbone_weights(build_classifier(described, 3, 32), tmp_path)


def test_damaged_weights_are_an_error(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"not safetensors")
    for described in (VIT, RESNET, backbone("torchvision", "resnet18")):
        with pytest.raises(InputError, match=r"model\.safetensors"):
            load_backbone_weights(build_classifier(described, 3, 32), tmp_path)
    with pytest.raises(InputError, match=r"config\.json"):
        with_published_settings(VIT, tmp_path)


def test_trained_weights_come_back_with_their_recipe(tmp_path):
    model, again = (build_classifier(RESNET, 3, 32) for _ in range(2))
    recipe = {"classes": ["a", "ä", "b"], "trial": {"seed": 1}}
    write_weights(tmp_path / "model.safetensors", model.state_dict(), recipe)
    load_trained_weights(again, tmp_path / "model.safetensors")
    assert all(torch.equal(again.state_dict()[name], value) for name, value in model.state_dict().items())
    assert read_recipe(tmp_path / "model.safetensors") == recipe
    with pytest.raises(InputError, match="of another shape"):
        load_trained_weights(build_classifier(RESNET, 4, 32), tmp_path / "model.safetensors")


def test_weights_are_read_by_the_library_and_written_in_a_fixed_order(tmp_path):
    file = tmp_path / "model.safetensors"
    write_weights(file, {"b": torch.ones(2), "a": torch.zeros(3, dtype=torch.int64)}, {"z": 1, "k": [2], "c": None})
    length = int.from_bytes(file.read_bytes()[:8], "little")
    header = json.loads(file.read_bytes()[8 : 8 + length])
    assert list(header["__metadata__"]) == ["c", "k", "z"]
    assert length % 8 == 0
