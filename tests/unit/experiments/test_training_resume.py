"""A training that is killed at any moment or asked to end, again and again, ends with the bytes of one that was not."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import time
from functools import cache
from itertools import count
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_experiment import RESNET, VIT, make_package, make_settings, make_trial, train_and_write, write_outcome

from bioscan1m.experiments.settings import trial_of
from bioscan1m.experiments.training import train
from bioscan1m.experiments.training_step import TrainingStep
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.training_state import TrainingState

KILLS = 5
STEPS = 3 * 4  # in three epochs of 30 images in batches of 8
DROPPING_OUT = VIT | {"settings": VIT["settings"] | {"hidden_dropout_prob": 0.2}}
KINDS = {
    "batch norm": make_trial(RESNET, epochs=3, optimizer="sgd"),
    "dropout, passes, decay": make_trial(DROPPING_OUT, epochs=3, accumulation=2, learning_rate_decay="cosine"),
    "worker": make_trial(RESNET, epochs=3, workers=1),
}
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


class Killed(BaseException):
    """Stands for SIGKILL."""


def train_cut(toy: tuple[Path, Path], kind: str, folder: Path, cuts: set[int], how: signal.Signals) -> int:
    """Train and write the files of a trial, cut after these steps, counted over all attempts; return their number."""
    steps, whole_step, took = count(1), TrainingStep.take, 0
    killed = how == signal.SIGKILL

    def take(self, batches, losses):
        nonlocal took
        whole_step(self, batches, losses)
        took = next(steps)
        if took in cuts and killed:
            raise Killed
        if took in cuts:
            for process in [*multiprocessing.active_children(), multiprocessing.current_process()]:
                os.kill(process.pid, how)  # as a scheduler does, to all processes of a job

    trial, state = trial_of(KINDS[kind]), folder / "unfinished"
    with mock.patch.object(TrainingStep, "take", take):
        for _ in range(len(cuts) + 1):
            kept = TrainingState(state, "recipe", seconds=0 if killed else 600)
            try:
                write_outcome(train(*toy, [], trial, kept), folder)
            except Killed:
                continue
            except InputError as error:
                assert f"asked to end ({how.name})" in str(error)
    kept.remove()
    return took


@cache
def uncut(toy: tuple[Path, Path], kind: str) -> dict[str, bytes]:
    """The files of a trial that was not cut, but for the times."""
    with tempfile.TemporaryDirectory() as folder:
        assert train_cut(toy, kind, Path(folder), set(), signal.SIGTERM) == STEPS
        return {name: (Path(folder) / name).read_bytes() for name in FILES}


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    cuts=st.sets(st.integers(1, STEPS), max_size=4),
    how=st.sampled_from([signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL]),
)
def test_a_training_cut_after_any_steps_gives_the_same_bytes(toy, kind, cuts, how):
    folder = Path(tempfile.mkdtemp())
    try:
        steps = train_cut(toy, kind, folder, cuts, how)
        assert steps == STEPS + (len(cuts) if how == signal.SIGKILL else 0)  # of a kill only its own step is lost
        assert {name: (folder / name).read_bytes() for name in FILES} == uncut(toy, kind)
        assert not (folder / "unfinished").exists()
    finally:
        shutil.rmtree(folder)


def test_processes_that_train_together_are_asked_to_end_as_one(toy, tmp_path):
    KINDS["together"] = make_trial(RESNET, epochs=3, processes=2)
    assert train_cut(toy, "together", tmp_path, {2, 7}, signal.SIGTERM) == STEPS
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == uncut(toy, "together")


def asked_to_end_during(method: str):
    """A block in which this method of each step, or of the start, is when the signal comes."""
    whole = getattr(TrainingStep, method)

    def ask(self, *arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return whole(self, *arguments)

    return mock.patch.object(TrainingStep, method, ask)


def test_attempts_go_on_while_each_takes_a_step_and_end_after_one_that_took_none(toy, tmp_path):
    trial = trial_of(KINDS["batch norm"])
    for attempt, method in enumerate(["take"] * 5 + ["capture"], start=1):
        state = TrainingState(tmp_path / "state", "recipe")
        state.begin_attempt(attempt)
        with asked_to_end_during(method), pytest.raises(InputError, match="asked to end"):
            train(*toy, [], trial, state)
    with pytest.raises(InputError, match="attempt 6 ended before it had learned anything more"):
        TrainingState(tmp_path / "state", "recipe").begin_attempt(7)
