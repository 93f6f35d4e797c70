"""Pretrained weights from local folders, from torchvision and from a hub on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from loopback import serving
from toy_experiment import VIT

from bioscan1m.detector.detector_input import CHANNEL_MEAN, CHANNEL_STD, Preprocessor, read_channels, write_preprocessor
from bioscan1m.errors import InputError
from bioscan1m.experiments.classifiers import build_classifier, load_backbone_weights
from bioscan1m.fetch.pretrained import fetch_backbone, fetch_detector
from bioscan1m.weights import read_weights

SCRIPTS = Path(__file__).parents[3] / "workflow_scripts"
SQUEEZENET = {"library": "torchvision", "name": "squeezenet1_1", "weights": "IMAGENET1K_V1", "settings": {}}


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A folder as transformers writes and publishes it."""
    folder = tmp_path_factory.mktemp("published")
    build_classifier(VIT, classes=3, image_size=16).save_pretrained(folder)
    return folder


def outputs(tmp_path) -> tuple[Path, Path]:
    return tmp_path / "weights/config.json", tmp_path / "weights/model.safetensors"


def test_a_local_folder_is_copied_as_it_is(tmp_path, published):
    config, model = outputs(tmp_path)
    fetch_detector(str(published), config, model, tmp_path / "weights/channels.json")
    assert config.read_bytes() == (published / "config.json").read_bytes()
    assert model.read_bytes() == (published / "model.safetensors").read_bytes()
    assert sorted(model.parent.iterdir()) == [model.parent / "channels.json", config, model]


def test_a_backbone_of_transformers_serves_a_model_with_another_head(tmp_path, published):
    fetch_backbone({**VIT, "weights": str(published)}, *outputs(tmp_path))
    model = build_classifier(VIT, classes=5, image_size=16)
    load_backbone_weights(model, tmp_path / "weights")
    weight = "vit.embeddings.patch_embeddings.projection.weight"
    assert torch.equal(model.state_dict()[weight], read_weights(published / "model.safetensors")[weight])


def test_a_backbone_of_torchvision_comes_from_its_cache_as_safetensors(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    state = build_classifier(SQUEEZENET, classes=1000, image_size=64).state_dict()
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    torch.save(state, tmp_path / "hub/checkpoints/squeezenet1_1-b8a52dc0.pth")
    config, model = outputs(tmp_path)
    fetch_backbone(SQUEEZENET, config, model)
    assert all(torch.equal(tensor, state[name]) for name, tensor in read_weights(model).items())
    assert json.loads(config.read_text()) == {key: SQUEEZENET[key] for key in ("library", "name", "weights")}
    load_backbone_weights(build_classifier(SQUEEZENET, classes=5, image_size=64), model.parent)


def test_a_local_folder_serves_torchvision_too(tmp_path, published):
    config, model = outputs(tmp_path)
    fetch_backbone({**SQUEEZENET, "weights": str(published)}, config, model)
    assert model.read_bytes() == (published / "model.safetensors").read_bytes()
    assert json.loads(config.read_text())["weights"] == str(published)


def test_the_channels_are_those_that_the_detector_is_used_to(tmp_path, published):
    folder = Path(shutil.copytree(published, tmp_path / "source"))

    def channels() -> list[tuple[float, ...]]:
        fetch_detector(str(folder), *outputs(tmp_path), tmp_path / "channels.json")
        return list(read_channels(tmp_path / "channels.json").values())

    hub = folder / "preprocessor_config.json"
    hub.write_text(json.dumps({"do_normalize": False, "image_mean": CHANNEL_MEAN}))  # as RT-DETR and D-FINE
    assert channels() == [(0, 0, 0), (1, 1, 1)]
    hub.write_text(json.dumps({"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}))
    assert channels() == [(0.5,) * 3, (0.25,) * 3]
    write_preprocessor(folder / "preprocessor.json", Preprocessor(10, 20, mean=(0.1, 0.2, 0.3), std=(1, 2, 3)))
    assert channels() == [(0.1, 0.2, 0.3), (1, 2, 3)]


@pytest.mark.parametrize(
    ("source", "told"),
    [("./absent", "./absent: no such folder"), ("/absent", "/absent: no such folder"), ("empty", "empty/config.json")],
)
def test_a_folder_without_weights_is_told(tmp_path, monkeypatch, source, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=told):
        fetch_detector(source, *outputs(tmp_path), tmp_path / "channels.json")


def test_unknown_names_are_told_with_those_that_there_are(tmp_path):
    with pytest.raises(InputError, match=r"'IMAGENET1K_V7'.*IMAGENET1K_V1, IMAGENET1K_V2"):
        fetch_backbone({**SQUEEZENET, "name": "resnet50", "weights": "IMAGENET1K_V7"}, *outputs(tmp_path))
    with pytest.raises(InputError, match="no model 'resnet5'"):
        fetch_backbone({**SQUEEZENET, "name": "resnet5"}, *outputs(tmp_path))


def fetch_from_hub(server, tmp_path, source: str) -> subprocess.CompletedProcess[str]:
    """Fetch in a process of its own, because the hub's client reads its address from the environment once."""
    code = "import sys; from bioscan1m.fetch.pretrained import fetch_detector; fetch_detector(*sys.argv[1:])"
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
    assert read_channels(tmp_path / "channels.json") == {"mean": CHANNEL_MEAN, "std": CHANNEL_STD}
    assert "InputError: group/absent: no config.json from the Hugging Face hub" in absent.stderr
