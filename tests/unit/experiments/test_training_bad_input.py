"""Bad input of a training or a test is named, counted, and costs nothing that was there before."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import h5py
import pytest
import torch
from small_memory import give_room_for
from toy_experiment import IMAGES, make_package, make_settings, make_trial, train_and_write

from bioscan1m.experiments.evaluation import describe_test, evaluate_model, warn_of_absences
from bioscan1m.experiments.trained_classifier import load_trained
from bioscan1m.experiments.training import train
from bioscan1m.foundation.errors import InputError
from bioscan1m.inference.embeddings import embed
from bioscan1m.networks.training_state import TrainingState
from bioscan1m.networks.weights import write_weights
from bioscan1m.package.images import GROUP

TESTS = Path(__file__).parents[1]
SCRIPTS = Path(__file__).parents[3] / "workflow_scripts"


def test_classes_without_training_or_test_images_are_named_and_measured(tmp_path, caplog):
    toy = make_package(tmp_path, more=[("a.jpg", "Archaeognatha", "test"), ("z.jpg", "Zoraptera", "train")])
    train_and_write(toy, make_trial(epochs=2), tmp_path)
    validation = json.loads((tmp_path / "validation.json").read_text())
    assert validation["classes"] == ["Archaeognatha", *sorted(IMAGES), "Zoraptera"]
    assert validation["classes_without_training_images"] == ["Archaeognatha"]
    warn_of_absences(validation)
    assert "no training image shows Archaeognatha" in caplog.text
    test = describe_test(evaluate_model(*toy, tmp_path / "model.safetensors"), [1, 3, 10])
    by_class = {row["class"]: (row["images"], row["accuracy"]) for row in test["per_class"]}
    assert by_class["Zoraptera"] == (0, None)  # its only image is for training
    assert by_class["Archaeognatha"][0] == 1 and test["metrics"]["micro_top10"] == 1
    trained = [accuracy for name, (images, accuracy) in by_class.items() if name in IMAGES]
    assert test["metrics"]["macro_top1"] == pytest.approx((sum(trained) + by_class["Archaeognatha"][1]) / 4)


def test_the_test_names_images_that_are_missing_or_cut_off(tmp_path):
    toy = make_package(tmp_path)
    train_and_write(toy, make_trial(epochs=1), tmp_path)
    with h5py.File(toy[0], "a") as file:
        data = file[GROUP]["Diptera4.jpg"][()]
        del file[GROUP]["Diptera4.jpg"], file[GROUP]["Coleoptera9.jpg"]
        file[GROUP]["Diptera4.jpg"] = data[: len(data) // 2]
    tested = evaluate_model(*toy, tmp_path / "model.safetensors")
    missing, cut_off = tested.skipped["test"]
    assert missing == {"image_file": "Coleoptera9.jpg", "reason": "not in the package"}
    assert cut_off["image_file"] == "Diptera4.jpg" and "truncated" in cut_off["reason"]
    assert len(tested.predictions["test"].truth) == 7 and tested.skipped["validation"] == []


def test_a_validation_loss_that_is_no_number_is_an_error_that_says_where(tmp_path):
    trial = make_settings(optimizer="sgd", learning_rate=1e30, batch_size=sum(IMAGES.values()))  # one step an epoch
    with pytest.raises(InputError, match="no number on the validation images after epoch 1, at a learning rate of 1e"):
        train(*make_package(tmp_path), [], trial, TrainingState(tmp_path / "state", "recipe"))


@pytest.mark.slow  # a new process with torch for each piece of advice
def test_too_little_memory_is_an_error_that_says_what_would_fit(tmp_path):
    make_package(tmp_path)
    code = """
import resource, sys
from pathlib import Path
import torch
from toy_experiment import RESNET, make_settings
from bioscan1m.foundation.errors import InputError
from bioscan1m.experiments.training import train
from bioscan1m.networks.training_state import TrainingState
folder, accumulation, room = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
wide = RESNET | {"settings": RESNET["settings"] | {"embedding_size": 128, "hidden_sizes": [128, 128]}}
trial = make_settings(wide, epochs=1, batch_size=32, short_side=144, crop=128, accumulation=accumulation)
torch.set_num_threads(1)
torch.backends.mkldnn.enabled = False  # it may crash where there is no memory
import transformers.models.resnet.modeling_resnet
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + room * 2**20,) * 2)
state = TrainingState(folder / f"state_{accumulation}_{room}", "r")
try:
    train(folder / "package.hdf5", folder / "split.parquet", [], trial, state)
except InputError as error:
    print(error)
"""

    def told(accumulation: int, room: int) -> str:
        command = [sys.executable, "-c", code, str(tmp_path), str(accumulation), str(room)]
        path = {"PYTHONPATH": f"{TESTS}:{SCRIPTS}", "MALLOC_ARENA_MAX": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # What a process needs beside the images differs between versions of torch, and by some MB from run to run.
    room = next(room for room in range(250, 1000, 50) if not told(32, room))
    message, passes = told(1, room), [1]
    assert "small_insect_order, resnet50_ce, seed 1: out of memory with 32 images of 128 pixels in a pass" in message
    while message:  # what just fits in one process may just not fit in the next
        advice = re.search(r"fit: set classifier.training.accumulation in the config to (\d+), the passes", message)
        passes.append(int(advice[1]))
        assert passes[-1] > passes[-2]
        message = told(passes[-1], room + 25)


def test_too_little_memory_for_a_trained_classifier_is_an_error_that_says_what_would_fit(tmp_path):
    """Of its test, its embeddings, and what it says of photographs: all look at images in the same way."""
    toy, images = make_package(tmp_path), [f"Diptera{place}.jpg" for place in range(20)]
    train_and_write(toy, make_trial(epochs=1), tmp_path)
    classifier = load_trained(tmp_path / "model.safetensors")
    give_room_for(classifier.model, 5)
    told = (
        "the classifier of small_insect_order by resnet50: out of memory with 8 images of 32 pixels in a pass; 4 fit: "
        ".* classifier.overrides.small_insect_order.accumulation in the config to 2, "
    )
    for look in (classifier.look_at, partial(embed, classifier)):
        with pytest.raises(InputError, match=told):
            look(toy[0], images)
        assert len(look(toy[0], images[:5])[0].image_files) == 5
    give_room_for(classifier.model, 0)
    with pytest.raises(InputError, match="not even one fits: take a smaller backbone or crop, or a machine"):
        classifier.look_at(toy[0], images)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can have more than some bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_breaks_off_leaves_what_was_there(tmp_path):
    model, state = tmp_path / "model.safetensors", TrainingState(tmp_path / "unfinished", "recipe")
    write_weights(model, {"layer": torch.zeros(3)}, {})
    state.save({"epoch": 1})
    before = model.read_bytes()
    with full_disk():
        with pytest.raises(OSError, match="too large"):
            write_weights(model, {"layer": torch.zeros(9_000)}, {})
        with pytest.raises((OSError, RuntimeError)):
            state.save({"epoch": 2, "layer": torch.zeros(9_000)})
    assert model.read_bytes() == before and state.load() == {"epoch": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "unfinished"]
