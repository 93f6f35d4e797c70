"""The selected classifier of an experiment is found among the models of many, and looks at any images of a package."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_experiment import make_package, make_trial

from bioscan1m.experiments.settings import trial_of
from bioscan1m.experiments.trained import write_model
from bioscan1m.experiments.training import train
from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.errors import InputError
from bioscan1m.inference.selected_classifier import load_selected
from bioscan1m.networks.training_state import TrainingState


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of images with two damaged ones, and models of the same trial in two experiments."""
    folder = tmp_path_factory.mktemp("run")
    package, split = make_package(folder, damaged=2)
    for experiment in ("small_insect_order", "other"):
        trial = make_trial(epochs=3 if experiment == "small_insect_order" else 1) | {"experiment": experiment}
        trained = train(package, split, [], trial_of(trial), TrainingState(folder / experiment, "recipe"))
        write_model(folder / f"{experiment}.safetensors", trained, {})
    return folder


def selection(run: Path, experiment: str) -> Path:
    path = run / f"{experiment}.json"
    write_json(path, {"experiment": experiment, "selected": {"backbone": "resnet50", "loss": "ce", "seed": 1}})
    return path


def test_the_classifier_of_the_experiment_predicts_what_can_be_read(run):
    models = [run / "other.safetensors", run / "small_insect_order.safetensors"]
    selected = load_selected(selection(run, "small_insect_order"), models)
    assert selected.name == "small_insect_order/resnet50_ce/seed1"
    classifier = selected.trained
    assert classifier.experiment == "small_insect_order"
    names = ["Diptera3.jpg", "Coleoptera0.jpg", "Hymenoptera4.jpg", "Coleoptera9.jpg"]
    found, skipped = classifier.look_at(run / "package.hdf5", names)
    assert found.image_files == ["Diptera3.jpg", "Hymenoptera4.jpg", "Coleoptera9.jpg"]
    assert [found.classes[place] for place in found.predicted] == ["Diptera", "Hymenoptera", "Coleoptera"]
    assert [row["image_file"] for row in skipped] == ["Coleoptera0.jpg"]


def test_an_experiment_without_a_model_is_an_error(run):
    with pytest.raises(InputError, match="none of 1 models is of the experiment other"):
        load_selected(selection(run, "other"), [run / "small_insect_order.safetensors"])
