"""A trial learns, gives the same bytes twice, and its model can be selected and tested."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from toy_experiment import IMAGES, RESNET, make_package, make_settings, make_trial, train_and_write

from bioscan1m.experiments import training_data
from bioscan1m.experiments.evaluation import (
    describe_test,
    evaluate_model,
    find_selected,
    images_by_role,
    warn_of_absences,
)
from bioscan1m.experiments.predictions import read_predictions, write_predictions
from bioscan1m.experiments.settings import trial_of
from bioscan1m.experiments.trained import describe_validation, write_model
from bioscan1m.experiments.trained_classifier import load_trained
from bioscan1m.experiments.training import train
from bioscan1m.foundation import images
from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.channels import UNIT_RANGE
from bioscan1m.networks.training_state import TrainingState
from bioscan1m.networks.weights import read_recipe, read_weights, write_weights


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> tuple[Path, Path]:
    """A package and its split."""
    return make_package(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def kept(tmp_path) -> TrainingState:
    """Where a training keeps its state."""
    return TrainingState(tmp_path / "unfinished", "recipe")


@pytest.fixture(scope="module")
def run(toy, tmp_path_factory) -> Path:
    """The folder of a trial that was trained."""
    folder = tmp_path_factory.mktemp("run")
    train_and_write(toy, make_trial(), folder)
    return folder


def test_it_learns(run):
    validation = json.loads((run / "validation.json").read_text())
    assert validation["metrics"]["micro_top1"] > 0.9 > validation["majority"]["share"]
    assert validation["majority"]["class"] == "Diptera"
    assert validation["model"]["name"] == "ResNetForImageClassification"
    assert images_by_role(validation)["skipped"] == 0


def test_the_same_trial_gives_the_same_bytes(run, toy, tmp_path):
    train_and_write(toy, make_trial(), tmp_path)
    for name in ("model.safetensors", "history.tsv", "validation.json"):
        assert (tmp_path / name).read_bytes() == (run / name).read_bytes(), name


def test_another_seed_gives_other_weights(run, toy, tmp_path):
    train_and_write(toy, {**make_trial(epochs=1), "seed": 2}, tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() != (run / "model.safetensors").read_bytes()


def test_a_model_names_its_own_recipe(run):
    recipe = read_recipe(run / "model.safetensors")
    assert recipe["classes"] == sorted(IMAGES)
    assert recipe["trial"] == make_trial()
    assert (recipe["code"], recipe["data"]) == ("c", "d")


def test_history_has_every_epoch_and_no_clock(run):
    rows = list(csv.DictReader((run / "history.tsv").open(), delimiter="\t"))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx([0.01, 0.01, 0.01, 0.001])
    assert list(rows[0]) == ["epoch", "learning_rate", "train_loss", "validation_loss", "micro_top1", "macro_top1"]


def test_the_best_epoch_has_the_highest_accuracy_then_the_lowest_loss_and_patience_ends_the_training(toy, kept):
    trained = train(*toy, [], make_settings(epochs=12, patience=2, learning_rate_steps=[]), kept)
    best = max(trained.history, key=lambda row: (row["micro_top1"], -row["validation_loss"]))
    assert trained.best_epoch == best["epoch"]
    assert len(trained.history) == min(12, trained.best_epoch + 2)


def test_a_model_has_the_channels_it_was_trained_with_and_is_tested_with_them(toy, tmp_path):
    """Whatever the config of the run says then; other channels would give other logits."""
    package, split = toy
    (tmp_path / "channels.json").write_text('{"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4], "images": 31}')
    choices = {
        "unit": ("unit", (UNIT_RANGE.mean, UNIT_RANGE.std)),
        "dataset": ("dataset", ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))),
        "weights": ("weights", ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))),
        "numbers": ({"mean": [0.1, 0.2, 0.3], "std": [1, 2, 3]}, ((0.1, 0.2, 0.3), (1, 2, 3))),
    }
    for name, (normalisation, channels) in choices.items():
        values = make_trial({**RESNET, "normalisation": normalisation}, epochs=1)
        trained = train(
            package, split, [], trial_of(values, [tmp_path / "channels.json"]), TrainingState(tmp_path / name, "r")
        )
        write_model(tmp_path / "model", trained, {})
        assert load_trained(tmp_path / "model").channels == channels
        tested = evaluate_model(package, split, tmp_path / "model").predictions["validation"]
        np.testing.assert_allclose(tested.logits, trained.validation.logits, atol=1e-5)


def test_a_model_made_before_there_was_a_choice_predicts_as_it_was_trained(run, toy, tmp_path):
    """Of a trial without the key, from a file that states no channels."""
    recipe = read_recipe(run / "model.safetensors")
    assert recipe["channels"] == {"mean": [0.7251, 0.7289, 0.7296], "std": [0.1265, 0.143, 0.161]}
    weights = read_weights(run / "model.safetensors")
    write_weights(tmp_path / "old", weights, {key: value for key, value in recipe.items() if key != "channels"})
    write_weights(tmp_path / "other", weights, recipe | {"channels": {"mean": [0, 0, 0], "std": [1, 1, 1]}})
    expected, old, other = (
        evaluate_model(*toy, path).predictions["test"].logits
        for path in (run / "model.safetensors", tmp_path / "old", tmp_path / "other")
    )
    assert np.array_equal(old, expected) and not np.allclose(other, expected, atol=0.01)


def test_a_loss_that_is_no_number_is_an_error_that_says_where(toy, kept):
    trial = make_settings(optimizer="sgd", learning_rate=1e30, gamma=2)
    with pytest.raises(InputError, match=r"in epoch 1, step \d, at a learning rate of 1e\+30; lower classif"):
        train(*toy, [], trial, kept)


def test_images_that_cannot_be_read_are_counted_and_listed(tmp_path, kept, caplog):
    toy = make_package(tmp_path, missing=1, damaged=3)
    described = describe_validation(train(*toy, [], make_settings(epochs=1), kept))
    assert [row["image_file"] for row in described["skipped"]["train"]] == [f"Coleoptera{i}.jpg" for i in range(3)]
    assert [row["image_file"] for row in described["skipped"]["validation"]] == ["Coleoptera3.jpg"]
    assert images_by_role(described) == {"in": 41, "out": 37, "skipped": 4}
    warn_of_absences(described)
    assert "3 images of the role train are left out, the first of them Coleoptera0.jpg: " in caplog.text


def test_no_readable_image_is_an_error(tmp_path, kept):
    toy = make_package(tmp_path, damaged=sum(IMAGES.values()))
    with pytest.raises(InputError, match="none of 31 training images"):
        train(*toy, [], make_settings(), kept)


def test_pretrained_weights_are_the_start(run, toy, tmp_path, kept):
    recipe = read_recipe(run / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    write_json(tmp_path / "config.json", recipe["model"]["settings"])
    files = [tmp_path / "config.json", tmp_path / "model.safetensors"]
    described = {**RESNET, "weights": "local", "settings": {}}
    trained = train(*toy, files, make_settings(described, epochs=1, learning_rate=1e-3), kept)
    kept.remove()
    scratch = train(*toy, [], make_settings(epochs=1, learning_rate=1e-3), kept)
    assert trained.history[0]["train_loss"] < scratch.history[0]["train_loss"]
    assert trained.model["settings"]["hidden_sizes"] == RESNET["settings"]["hidden_sizes"]


@pytest.fixture
def selection(tmp_path) -> Path:
    """A selection of the trial of `run`."""
    write_json(tmp_path / "selection.json", {"selected": {"backbone": "resnet50", "loss": "ce", "seed": 1}})
    return tmp_path / "selection.json"


def test_the_selected_model_is_tested(run, toy, selection, tmp_path):
    tested = evaluate_model(*toy, find_selected([run / "model.safetensors"], selection))
    described = describe_test(tested, [1, 3, 10])
    assert described["metrics"]["micro_top1"] > 0.9
    assert described["metrics"]["micro_top10"] == 1
    assert np.sum(described["confusion_matrix"]) == described["images"]["test"] == 9
    assert [row["class"] for row in described["per_class"]] == sorted(IMAGES)
    write_predictions(tmp_path / "predictions.parquet", tested.predictions["test"])
    again = read_predictions(tmp_path / "predictions.parquet")
    assert again.classes == tested.predictions["test"].classes
    assert np.array_equal(again.logits, tested.predictions["test"].logits)
    assert np.array_equal(again.truth, tested.predictions["test"].truth)


def test_the_test_sees_the_weights_of_the_best_epoch(run, toy):
    tested = evaluate_model(*toy, find_selected([run / "model.safetensors"], selection=None))
    validation = json.loads((run / "validation.json").read_text())
    best = tested.predictions["validation"]
    assert (best.predicted == best.truth).mean() == pytest.approx(validation["metrics"]["micro_top1"])


def test_a_test_decodes_each_image_once(run, toy, monkeypatch):
    decoded = []
    monkeypatch.setattr(training_data, "decode", lambda data, side: decoded.append(data) or images.decode(data, side))
    tested = evaluate_model(*toy, run / "model.safetensors")
    describe_test(tested, [1, 3, 10])
    assert len(decoded) == len(set(decoded)) == sum(len(found.truth) for found in tested.predictions.values())


def test_a_selected_model_that_is_not_there_is_an_error(run, tmp_path):
    write_json(tmp_path / "selection.json", {"selected": {"backbone": "vit_b_16", "loss": "ce", "seed": 1}})
    with pytest.raises(InputError, match="no model of the selected trial"):
        find_selected([run / "model.safetensors"], tmp_path / "selection.json")
