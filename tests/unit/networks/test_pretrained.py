"""Pretrained weights from local folders, from torchvision and from a hub on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from loopback import serving
from toy_experiment import VIT

from bioscan1m.detector.preprocessing import CHANNEL_MEAN, CHANNEL_STD, Preprocessor, write_preprocessor
from bioscan1m.experiments.classifiers import build_classifier, load_backbone_weights
from bioscan1m.experiments.settings import Backbone, settings_of
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.channels import Channels, read_channels
from bioscan1m.networks.weights import read_weights
from fetch_backbone import fetch_backbone
from fetch_detector import fetch_detector

SCRIPTS = Path(__file__).parents[3] / "workflow_scripts"
SQUEEZENET = {"library": "torchvision", "name": "squeezenet1_1", "weights": "IMAGENET1K_V1", "settings": {}}


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A folder as transformers writes and publishes it."""
    folder = tmp_path_factory.mktemp("published")
    build_classifier(settings_of(Backbone, VIT), classes=3, image_size=16).save_pretrained(folder)
    return folder


def outputs(tmp_path) -> tuple[Path, Path]:
    return tmp_path / "weights/config.json", tmp_path / "weights/model.safetensors"


def fetched(backbone: dict[str, Any], tmp_path: Path, normalisation: object = "unit") -> tuple[Path, Path]:
    """Configuration and weights of a backbone, with its channels beside them."""
    fetch_backbone(backbone, *outputs(tmp_path), tmp_path / "weights/channels.json", normalisation)
    return outputs(tmp_path)


def test_a_local_folder_is_copied_as_it_is(tmp_path, published):
    config, model = outputs(tmp_path)
    fetch_detector(str(published), config, model, tmp_path / "weights/channels.json")
    assert config.read_bytes() == (published / "config.json").read_bytes()
    assert model.read_bytes() == (published / "model.safetensors").read_bytes()
    assert sorted(model.parent.iterdir()) == [model.parent / "channels.json", config, model]


def test_a_backbone_of_transformers_serves_a_model_with_another_head(tmp_path, published):
    fetched({**VIT, "weights": str(published)}, tmp_path)
    model = build_classifier(settings_of(Backbone, VIT), classes=5, image_size=16)
    load_backbone_weights(model, tmp_path / "weights")
    weight = "vit.embeddings.patch_embeddings.projection.weight"
    assert torch.equal(model.state_dict()[weight], read_weights(published / "model.safetensors")[weight])


def test_a_backbone_of_torchvision_comes_from_its_cache_as_safetensors(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    state = build_classifier(settings_of(Backbone, SQUEEZENET), classes=1000, image_size=64).state_dict()
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    torch.save(state, tmp_path / "hub/checkpoints/squeezenet1_1-b8a52dc0.pth")
    config, model = fetched(SQUEEZENET, tmp_path, "weights")
    assert all(torch.equal(tensor, state[name]) for name, tensor in read_weights(model).items())
    assert json.loads(config.read_text()) == {key: SQUEEZENET[key] for key in ("library", "name", "weights")}
    load_backbone_weights(build_classifier(settings_of(Backbone, SQUEEZENET), classes=5, image_size=64), model.parent)
    assert read_channels(tmp_path / "weights/channels.json") == (CHANNEL_MEAN, CHANNEL_STD)  # both of ImageNet


def test_a_local_folder_serves_torchvision_too(tmp_path, published):
    config, model = fetched({**SQUEEZENET, "weights": str(published)}, tmp_path)
    assert model.read_bytes() == (published / "model.safetensors").read_bytes()
    assert json.loads(config.read_text())["weights"] == str(published)


def test_the_channels_are_those_that_the_detector_is_used_to(tmp_path, published):
    folder = Path(shutil.copytree(published, tmp_path / "source"))

    def channels() -> list[tuple[float, ...]]:
        fetch_detector(str(folder), *outputs(tmp_path), tmp_path / "channels.json")
        return list(read_channels(tmp_path / "channels.json"))

    hub = folder / "preprocessor_config.json"
    hub.write_text(json.dumps({"do_normalize": False, "image_mean": CHANNEL_MEAN}))  # as RT-DETR and D-FINE
    assert channels() == [(0, 0, 0), (1, 1, 1)]
    hub.write_text(json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}))
    assert channels() == [(0.5,) * 3, (0.25,) * 3]
    write_preprocessor(folder / "preprocessor.json", Preprocessor(10, 20, mean=(0.1, 0.2, 0.3), std=(1, 2, 3)))
    assert channels() == [(0.1, 0.2, 0.3), (1, 2, 3)]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("./absent", "./absent: no such folder"),
        ("/absent", "/absent: no such folder"),
        ("empty", "empty/config.json"),
        ("tests/demo/absent", "A relative path starts at the folder of the run: /.*/tests/demo/absent"),
    ],
)
def test_a_folder_without_weights_is_told(tmp_path, monkeypatch, source, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=told):
        fetch_detector(source, *outputs(tmp_path), tmp_path / "channels.json")


def test_unknown_names_are_told_with_those_that_there_are(tmp_path):
    with pytest.raises(InputError, match=r"'IMAGENET1K_V7'.*IMAGENET1K_V1, IMAGENET1K_V2"):
        fetched({**SQUEEZENET, "name": "resnet50", "weights": "IMAGENET1K_V7"}, tmp_path)
    with pytest.raises(InputError, match="no model 'resnet5'"):
        fetched({**SQUEEZENET, "name": "resnet5"}, tmp_path)


def test_the_weights_state_what_their_input_was_normalised_with(tmp_path, published):
    folder = Path(shutil.copytree(published, tmp_path / "source"))
    stated = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(stated))
    for place, backbone in enumerate((VIT, SQUEEZENET)):
        fetched({**backbone, "weights": str(folder)}, tmp_path / str(place), "weights")
        assert read_channels(tmp_path / str(place) / "weights/channels.json") == Channels((0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize("backbone", [VIT, SQUEEZENET], ids=["transformers", "torchvision"])
def test_weights_that_state_none_are_refused_where_theirs_are_wanted(tmp_path, published, backbone):
    described = {**backbone, "weights": str(published)}
    fetched(described, tmp_path, "dataset")
    with pytest.raises(InputError, match="do not state a mean and deviation"):
        read_channels(tmp_path / "weights/channels.json")
    with pytest.raises(InputError, match=rf"{published}: the weights do not state.*unit or to dataset"):
        fetched(described, tmp_path / "again", "weights")


def fetch_from_hub(server, tmp_path, source: str) -> subprocess.CompletedProcess[str]:
    """Fetch in a process of its own, because the hub's client reads its address from the environment once."""
    code = "import sys; from fetch_detector import fetch_detector; fetch_detector(*sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", code, source, *map(str, outputs(tmp_path)), str(tmp_path / "channels.json")],
        cwd=SCRIPTS,
        env={**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path / "hub")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_hub_id_is_fetched_from_the_hub(tmp_path, published):
    def hub(request):
        file = published / request.path.rpartition("/")[2]
        if (
            request.path in (f"/group/tiny/resolve/{revision}/{file.name}" for revision in ("main", "v2"))
            and file.is_file()
        ):
            request.reply(200, file.read_bytes(), ETag=f'"{file.stat().st_size}"', X_Repo_Commit="0" * 40)
        else:
            known = request.path.startswith("/group/tiny/")
            request.reply(404, b"", X_Error_Code="EntryNotFound" if known else "RepoNotFound")

    with serving(hub) as server:
        done = fetch_from_hub(server, tmp_path, "group/tiny")
        assert done.returncode == 0, done.stderr
        pinned = fetch_from_hub(server, tmp_path / "pinned", "group/tiny@v2")
        assert pinned.returncode == 0 and (tmp_path / "pinned/weights/config.json").exists(), pinned.stderr
        assert fetch_from_hub(server, tmp_path / "other", "group/tiny@v3").returncode != 0
        absent = fetch_from_hub(server, tmp_path / "other", "group/absent")
    assert [path.read_bytes() for path in outputs(tmp_path)] == [
        (published / name).read_bytes() for name in ("config.json", "model.safetensors")
    ]
    assert read_channels(tmp_path / "channels.json") == (CHANNEL_MEAN, CHANNEL_STD)
    assert "InputError: group/absent: no config.json from the Hugging Face hub" in absent.stderr


def test_a_transfer_from_the_hub_that_breaks_off_again_and_again_is_one_message(tmp_path):
    def hub(request):
        request.reply(200, b"half", length=100, ETag='"1"', X_Repo_Commit="0" * 40)

    with serving(hub) as server:
        done = fetch_from_hub(server, tmp_path, "group/tiny")
    assert "InputError: group/tiny: no config.json from the Hugging Face hub" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "stated", ['{"do_flip_channel_order": true}', '{"image_mean": [1], "image_std": [1]}', "{", "[]"]
)
def test_what_weights_state_matters_only_where_it_is_wanted(tmp_path, published, stated):
    folder = Path(shutil.copytree(published, tmp_path / "source"))
    (folder / "preprocessor_config.json").write_text(stated)
    fetched({**VIT, "weights": str(folder)}, tmp_path, "dataset")
    with pytest.raises(InputError, match=str(folder)):
        fetched({**VIT, "weights": str(folder)}, tmp_path / "again", "weights")
