"""The config for a laptop: a frozen pretrained trunk where its weights can be fetched, else a small network."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
import yaml

from bioscan1m.experiments.classifiers import build_classifier
from bioscan1m.experiments.settings import Backbone, settings_of
from bioscan1m.plan.configuration import validate_config
from bioscan1m.plan.laptop import HEAD_TRAINING, PRETRAINED, LaptopRecipe, estimate_minutes
from workflow_runs import REPOSITORY, demo_config
from write_manifest import prepare_run

SCHEMA = REPOSITORY / "rules/schemas/config.schema.yaml"
CACHED = "hub/checkpoints/mobilenet_v3_large-8738ca79.pth"  # what torchvision calls the file in torch's cache


@pytest.fixture
def labelled(tmp_path) -> tuple[Path, Path]:
    """A folder of photographs and its table of labels."""
    folder, labels = tmp_path / "photographs", tmp_path / "labels.tsv"
    folder.mkdir()
    for name in ("a", "b", "c"):
        (folder / f"{name}.jpg").write_bytes(name.encode())
    labels.write_text("image_file\torder\tfamily\na.jpg\tDiptera\tCulicidae\nb.jpg\tDiptera\tPhoridae\n")
    return folder, labels


@pytest.fixture(autouse=True)
def without_network(tmp_path, monkeypatch, caplog):
    """Nothing answers, and torch's cache is empty."""
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def classifier_of(run: Path, labelled: tuple[Path, Path]) -> dict:
    """The part of the config that is written, which the schema allows."""
    prepare_run([labelled[0]], run, 10, labelled[1], label_columns=["order", "family"], laptop=True)
    config = yaml.safe_load((run / "config.yaml").read_text())
    validate_config(config, SCHEMA)
    return config["classifier"]


def test_a_pretrained_trunk_is_frozen_where_its_weights_can_be_fetched(tmp_path, labelled, caplog):
    cached = tmp_path / "torch" / CACHED
    cached.parent.mkdir(parents=True)
    torch.save(build_classifier(settings_of(Backbone, PRETRAINED), 1000, 64).state_dict(), cached)
    classifier = classifier_of(tmp_path / "run", labelled)
    assert classifier["backbones"] == {"mobilenet_v3_large": PRETRAINED}
    assert classifier["trials"] == {name: ["mobilenet_v3_large_ce"] for name in ("by_order", "by_family")}
    assert classifier["training"]["freeze"] == "trunk" and classifier["package"] == "original_256"
    assert "mobilenet_v3_large is chosen: its weights are here" in caplog.text
    assert (
        "3 images, 2 experiments with 3 trainings each: about " in caplog.text and " minutes on 2 cores" in caplog.text
    )


def test_the_small_network_of_the_demo_is_trained_where_nothing_can_be_fetched(tmp_path, labelled, caplog):
    classifier = classifier_of(tmp_path / "run", labelled)
    (backbone,) = classifier["backbones"].values()
    assert backbone == demo_config()["classifier"]["backbones"]["resnet50"]
    assert classifier["training"]["freeze"] == "none"
    assert "could not be fetched" in caplog.text and "A small network is chosen" in caplog.text
    assert "about " in caplog.text


def test_a_config_that_is_there_is_left_and_nothing_is_fetched(tmp_path, labelled, caplog):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("edited: true\n")
    prepare_run([labelled[0]], run, 10, labelled[1], label_columns=["order"], laptop=True)
    assert (run / "config.yaml").read_text() == "edited: true\n" and "fetch" not in caplog.text


def test_the_estimate_grows_with_what_is_computed():
    frozen = LaptopRecipe("net", PRETRAINED, HEAD_TRAINING)
    whole = LaptopRecipe("net", PRETRAINED, {"epochs": 40})
    few, many = (estimate_minutes(frozen, images, 2, 3, glance=0.02) for images in (750, 100_000))
    assert few <= 5 and 10 * few < many
    assert estimate_minutes(frozen, 100_000, 2, 3, glance=0.2) > 2 * many
    assert estimate_minutes(whole, 100_000, 2, 3, glance=0.02) > 10 * many
