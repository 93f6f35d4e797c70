"""A training that is killed at any moment, again and again, ends with the bytes of one that was not."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
from toy_experiment import make_package, make_settings, make_trial, train_and_write

from bioscan1m.experiments.training import train
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.training_state import TrainingState

KILLS = 5
FILES = ("model.safetensors", "history.tsv", "validation.json")


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> tuple[Path, Path]:
    """A package, some of whose images cannot be read, and its split."""
    return make_package(tmp_path_factory.mktemp("toy"), missing=1, damaged=2)


def start(toy: tuple[Path, Path], folder: Path, **training: object) -> multiprocessing.Process:
    """Train in a process of its own."""
    folder.mkdir(exist_ok=True)
    context = multiprocessing.get_context("forkserver")  # which imports the large libraries but once
    context.set_forkserver_preload(["transformers.models.resnet.modeling_resnet", "pyarrow.parquet", "h5py"])
    process = context.Process(target=train_and_write, args=(toy, make_trial(**training), folder))
    process.start()
    return process


def test_a_training_killed_at_random_moments_gives_the_same_bytes(toy, tmp_path):
    settings = {"epochs": 8, "patience": 8, "learning_rate_steps": [3, 6]}
    start(toy, tmp_path / "first", **settings).join()
    began = time.monotonic()
    start(toy, tmp_path / "whole", **settings).join()
    seconds = time.monotonic() - began
    killed, moments = 0, np.random.default_rng(0)
    while killed < KILLS:  # one that ends before its moment does not count
        process = start(toy, tmp_path / "killed", **settings)
        process.join(moments.uniform(0, seconds))
        process.kill()
        process.join()
        killed += process.exitcode != 0
    last = start(toy, tmp_path / "killed", **settings)
    last.join()
    assert last.exitcode == 0
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not (tmp_path / "killed/unfinished").exists()


def test_a_training_that_was_done_but_not_written_is_not_trained_again(toy, tmp_path, caplog):
    trial, kept = make_settings(epochs=6, patience=1, learning_rate=1e-9), TrainingState(tmp_path / "state", "recipe")
    trained = train(*toy, [], trial, kept)
    with caplog.at_level("INFO"):
        again = train(*toy, [], trial, kept)
    assert f"going on after epoch {len(trained.history)} of 6" in caplog.text and "micro_top1" not in caplog.text
    assert again.history == trained.history and again.speed == trained.speed and again.skipped == trained.skipped
    assert np.array_equal(again.validation.logits, trained.validation.logits)


def test_what_was_kept_survives_a_training_that_goes_astray(toy, tmp_path):
    state = tmp_path / "state"
    train(*toy, [], make_settings(epochs=1), TrainingState(state, "recipe"))
    before = state.read_bytes()
    with pytest.raises(InputError, match="in epoch 2, step"):
        train(*toy, [], make_settings(learning_rate=1e30), TrainingState(state, "recipe"))
    assert state.read_bytes() == before
