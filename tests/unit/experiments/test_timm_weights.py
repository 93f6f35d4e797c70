"""A folder as timm publishes it gives transformers' ViT with the same output; other architectures are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from timm_vit import TOY, Sizes, TimmViT
from toy_experiment import VIT

from bioscan1m.experiments.classifiers import build_classifier, head_layer, start_classifier
from bioscan1m.experiments.settings import Backbone, settings_of
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.channels import read_channels, stated_channels
from bioscan1m.networks.timm_vit import SIZES, TIMM_HEAD, from_timm, timm_settings
from fetch_backbone import fetch_backbone

TINY = Sizes(pixels=32, patch=16, width=192, hidden=768, blocks=12, heads=3)
PUBLISHED = {"architecture": "vit_tiny_patch16_32", "global_pool": "token", "num_classes": 7}
# As in the folder that the published grid names.
BASE = {
    "architecture": "vit_base_patch16_224",
    "num_classes": 1000,
    "num_features": 768,
    "global_pool": "token",
    "pretrained_cfg": {"tag": "augreg_in21k_ft_in1k", "input_size": [3, 224, 224], "mean": [0.5] * 3, "std": [0.5] * 3},
}
PLAIN = {**VIT, "settings": {}}


def published(folder: Path, config: dict[str, object], sizes: Sizes, headless: bool = False) -> TimmViT:
    """The network whose weights are written to the folder."""
    torch.manual_seed(0)
    model = TimmViT(7, sizes).eval()
    for values in model.state_dict().values():
        values.normal_(0, 0.05)
    weights = {
        name: values for name, values in model.state_dict().items() if not (headless and name.startswith("head"))
    }
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return model


@pytest.mark.parametrize("headless", [False, True])
@pytest.mark.parametrize(("sizes", "backbone"), [(TINY, PLAIN), (TOY, VIT)], ids=["by its name", "by the settings"])
def test_a_classifier_starts_with_what_timm_computes(tmp_path, sizes, backbone, headless):
    source = published(tmp_path, PUBLISHED, sizes, headless)
    model, described = start_classifier(settings_of(Backbone, backbone), 3, 32, tmp_path)
    head_layer(model).load_state_dict({"weight": source.head.weight[:3], "bias": source.head.bias[:3]})
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected, found = source(images)[:, :3], model.eval()(images).logits
    assert expected.std() > 0.01
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert described["settings"]["layer_norm_eps"] == 1e-6
    again = build_classifier(settings_of(Backbone, described), 3, 32)  # as for a test, without the folder
    again.load_state_dict(model.state_dict())


def test_a_fetched_folder_is_as_published_and_states_its_channels(tmp_path):
    (tmp_path / "hub").mkdir()
    source = published(tmp_path / "hub", PUBLISHED | {"pretrained_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}}, TOY)
    names = [tmp_path / "fetched" / name for name in ("config.json", "model.safetensors", "channels.json")]
    fetch_backbone({**VIT, "weights": str(tmp_path / "hub")}, *names, "weights")
    for path in names[:2]:  # so that their SHA-256 is that of the hub
        assert path.read_bytes() == (tmp_path / "hub" / path.name).read_bytes()
    assert read_channels(names[2]) == ((0.5,) * 3, (0.25,) * 3)
    model, _ = start_classifier(settings_of(Backbone, VIT), 3, 32, tmp_path / "fetched")
    assert torch.equal(model.vit.embeddings.position_embeddings, source.pos_embed)


def test_the_folder_of_the_published_grid_is_a_vit_of_transformers(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(BASE))
    settings = timm_settings(BASE, tmp_path)
    with torch.device("meta"):
        source = TimmViT(1000, Sizes(pixels=224, patch=16, width=768, hidden=3072, blocks=12, heads=12))
        model = build_classifier(settings_of(Backbone, {**PLAIN, "settings": settings}), 1000, 224)
    shapes = {name: tensor.shape for name, tensor in from_timm(source.state_dict()).items()}
    assert shapes == {name: tensor.shape for name, tensor in model.state_dict().items()}
    assert stated_channels(str(tmp_path)) == ((0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_has_heads_of_64(size):
    settings = timm_settings({"architecture": f"timm/vit_{size}_patch16_384.augreg_in21k"}, "hub")
    assert settings["hidden_size"] == 64 * settings["num_attention_heads"] and settings["image_size"] == 384


@pytest.mark.parametrize(
    "config",
    [
        {"architecture": "resnet50"},
        {"architecture": "vit_base_patch16_clip_224"},
        {"architecture": "vit_base_patch16_224_miil"},
        {"architecture": "vit_so400m_patch14_siglip_224"},
        {"architecture": "deit_base_patch16_224"},
        {"architecture": "vit_base_patch16_224", "global_pool": "avg"},
    ],
)
def test_another_network_of_timm_is_refused_by_name(config):
    with pytest.raises(InputError, match=rf"'{config['architecture']}' is no plain ViT of timm"):
        timm_settings(config, "hub")


def test_weights_of_another_size_than_their_name_are_refused(tmp_path):
    published(tmp_path, PUBLISHED, TOY)
    with pytest.raises(InputError, match="the weights are not those of this model"):
        start_classifier(settings_of(Backbone, PLAIN), 3, 32, tmp_path)


def test_the_names_of_timm_are_known_by_the_head():
    assert TIMM_HEAD in TimmViT(3).state_dict()
