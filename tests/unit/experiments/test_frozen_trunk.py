"""With a frozen trunk the features of the images are computed once, and the head alone is trained on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from test_classifier_families import FAMILIES, SIZE, build
from toy_experiment import IMAGES, RESNET, TRAINING, make_package, make_trial, write_outcome

from bioscan1m.experiments.classifiers import class_logits, head_layer, head_weights, start_classifier
from bioscan1m.experiments.evaluation import evaluate_model
from bioscan1m.experiments.features import (
    Features,
    Trunk,
    compute_features,
    read_features,
    without_head,
    write_features,
)
from bioscan1m.experiments.head_training import train_head
from bioscan1m.experiments.settings import Backbone, BatchSettings, settings_of, trial_of
from bioscan1m.experiments.trained import describe_validation
from bioscan1m.experiments.trained_classifier import load_trained
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.inference.embeddings import embed
from bioscan1m.networks.channels import CHANNELS_BEFORE
from bioscan1m.networks.weights import read_weights, write_weights
from compute_features import images_of

BACKBONE = settings_of(Backbone, RESNET)
# Makes its logits by a convolution, before it pools.
WITHOUT_LINEAR_HEAD = {"squeezenet1_1"}


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> tuple[Path, Path]:
    """A package and its split; the first image is missing, the next damaged."""
    return make_package(tmp_path_factory.mktemp("toy"), missing=1, damaged=1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> list[Path]:
    """A folder of pretrained weights: any, for hues can be told apart by random features."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    model, _ = start_classifier(BACKBONE, 5, 32, None)
    write_weights(folder / "model.safetensors", model.state_dict(), {})
    (folder / "config.json").write_text(json.dumps(RESNET["settings"]))
    return [folder / "config.json", folder / "model.safetensors"]


def features_of(toy: tuple[Path, Path], weights: list[Path], cores: int = 1, **settings: int) -> Features:
    """The features of all images of the split."""
    package, split = toy
    trunk = Trunk(BACKBONE, weights[0].parent, CHANNELS_BEFORE)
    return compute_features(package, images_of([split]), trunk, settings_of(BatchSettings, TRAINING | settings), cores)


@pytest.fixture(scope="module")
def features(toy, weights, tmp_path_factory) -> Path:
    """The table of the features."""
    path = tmp_path_factory.mktemp("features") / "features.parquet"
    write_features(path, features_of(toy, weights))
    return path


@pytest.fixture(scope="module")
def run(toy, weights, features, tmp_path_factory) -> Path:
    """The folder of a trial that was trained on the features."""
    folder = tmp_path_factory.mktemp("run")
    write_outcome(train_head(features, toy[1], weights, trial_of(frozen())), folder)
    return folder


def frozen(gamma: float = 0, **training: object) -> dict:
    """A trial that trains the head alone."""
    return make_trial(
        {**RESNET, "settings": {}}, gamma, **{"freeze": "trunk", "epochs": 20, "patience": 20, **training}
    )


def test_features_are_the_embeddings_of_the_model_that_is_trained_on_them(run, toy, features):
    """So embeddings, predictions and the test see what the head was trained on."""
    table = read_features(features)
    _, embeddings, _ = embed(load_trained(run / "model.safetensors"), toy[0], table.image_files)
    assert embeddings.image_files == table.image_files
    np.testing.assert_allclose(embeddings.vectors, table.vectors, rtol=1e-4, atol=1e-5)


def test_every_image_has_features_or_a_reason(toy, features):
    table, images = read_features(features), read_parquet(toy[1])["image_file"].to_pylist()
    assert set(table.image_files) | set(table.skipped) == set(images) and len(table.image_files) == len(images) - 2
    assert table.skipped["Coleoptera0.jpg"] == "not in the package"
    assert read_parquet(features)["features"].type.list_size == table.vectors.shape[1]


@pytest.mark.parametrize("other", [{"cores": 3}, {"workers": 2}], ids=str)
def test_features_do_not_depend_on_cores_and_processes(toy, weights, features, other):
    again, table = features_of(toy, weights, **other), read_features(features)
    assert again.image_files == table.image_files and np.array_equal(again.vectors, table.vectors)


def test_no_readable_image_is_an_error(weights, tmp_path):
    with pytest.raises(InputError, match="none of 50 images can be read"):
        features_of(make_package(tmp_path, damaged=sum(IMAGES.values())), weights)


def test_images_of_several_experiments_are_computed_once(toy):
    assert images_of([toy[1], toy[1]]) == read_parquet(toy[1])["image_file"].to_pylist()


def test_the_head_learns_and_the_trunk_stays(run, weights):
    validation = json.loads((run / "validation.json").read_text())
    assert validation["metrics"]["micro_top1"] > validation["majority"]["share"] + 0.2
    model, _ = start_classifier(BACKBONE, len(IMAGES), 32, None)
    trained, pretrained = read_weights(run / "model.safetensors"), read_weights(weights[1])
    changed = {name for name in trained if not torch.equal(trained[name].float(), pretrained[name].float())}
    assert changed == head_weights(model)


def test_the_model_is_tested_like_any_other_and_sees_what_it_was_trained_on(run, toy):
    validation = json.loads((run / "validation.json").read_text())
    tested = evaluate_model(*toy, run / "model.safetensors")
    found = tested.predictions["validation"]
    assert (found.predicted == found.truth).mean() == pytest.approx(validation["metrics"]["micro_top1"])
    assert tested.skipped["validation"] == validation["skipped"]["validation"]


def test_the_same_trial_gives_the_same_bytes_and_another_seed_others(run, toy, weights, features, tmp_path):
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        outcome = train_head(features, toy[1], weights, trial_of({**frozen(), "seed": seed}))
        write_outcome(outcome, tmp_path / str(seed))
    for name in ("model.safetensors", "history.tsv", "validation.json"):
        assert (tmp_path / "1" / name).read_bytes() == (run / name).read_bytes(), name
        assert (tmp_path / "2" / name).read_bytes() != (run / name).read_bytes(), name


def test_both_losses_and_early_stopping_are_those_of_other_trainings(toy, weights, features):
    focal = train_head(features, toy[1], weights, trial_of(frozen(gamma=2, epochs=1)))
    ce = train_head(features, toy[1], weights, trial_of(frozen(epochs=1)))
    assert focal.history[0]["train_loss"] < ce.history[0]["train_loss"]
    stopped = train_head(
        features, toy[1], weights, trial_of(frozen(epochs=200, patience=3, learning_rate=0.5, learning_rate_steps=[]))
    )
    assert len(stopped.history) == stopped.best_epoch + 3 < 200
    best = max(stopped.history, key=lambda row: (row["micro_top1"], -row["validation_loss"]))
    assert stopped.best_epoch == best["epoch"]


def test_images_left_out_are_listed_as_in_other_trainings(toy, weights, features):
    described = describe_validation(train_head(features, toy[1], weights, trial_of(frozen(epochs=1))))
    assert [row["image_file"] for row in described["skipped"]["train"]] == ["Coleoptera0.jpg", "Coleoptera1.jpg"]


def test_a_loss_that_is_no_number_is_an_error_that_names_the_epoch(toy, weights, features):
    with pytest.raises(InputError, match=r"the loss is no number in epoch 1, at a learning rate of 1e\+38"):
        train_head(features, toy[1], weights, trial_of(frozen(optimizer="sgd", learning_rate=1e38)))


def test_features_of_other_images_are_refused(toy, weights, features, tmp_path):
    table = read_features(features)
    write_features(tmp_path / "f", Features(table.image_files[1:], table.vectors[1:], table.skipped))
    with pytest.raises(InputError, match="f: no features of 1 images, as Coleoptera2"):
        train_head(tmp_path / "f", toy[1], weights, trial_of(frozen()))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_of_every_family_can_be_frozen_or_is_refused(name):
    torch.manual_seed(1)
    model = build(name, 3).eval()
    head, image = head_layer(model), torch.rand(2, 3, SIZE, SIZE)
    logits = class_logits(model, image)
    if name in WITHOUT_LINEAR_HEAD:
        with pytest.raises(InputError, match="does not end with one linear layer"):
            without_head(model, SIZE)
    else:
        features = class_logits(without_head(model, SIZE), image)
        assert features.ndim == 2 and torch.allclose(head(features), logits, atol=1e-4)
