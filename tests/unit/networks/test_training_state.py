"""A kept state comes back whole, or training begins anew; a job that is killed while it writes loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from harmful import Harmful

from bioscan1m.foundation.errors import InputError
from bioscan1m.networks import training_state
from bioscan1m.networks.training_state import TrainingState

SCRIPTS = Path(__file__).parents[3] / "workflow_scripts"


def test_what_is_saved_is_loaded(tmp_path):
    kept = TrainingState(tmp_path / "a/model.unfinished", "recipe")
    assert kept.load() is None
    for epoch in (1, 2):
        kept.save({"history": [{"loss": 0.5}] * epoch, "model": {"w": torch.arange(3.0)}})
    state = TrainingState(tmp_path / "a/model.unfinished", "recipe").load()
    assert state["history"] == [{"loss": 0.5}] * 2 and torch.equal(state["model"]["w"], torch.arange(3.0))
    kept.remove()
    kept.remove()
    assert list((tmp_path / "a").iterdir()) == []


def test_a_state_of_another_recipe_is_passed_over(tmp_path):
    TrainingState(tmp_path / "state", "one").save({"epoch": 1})
    assert TrainingState(tmp_path / "state", "two").load() is None


def test_attempts_go_on_while_each_saves_a_state(tmp_path):
    state = TrainingState(tmp_path / "state", "recipe")
    for attempt in range(1, 9):
        state.begin_attempt(attempt)
        state.save({"epoch": attempt})
    state.remove()
    assert list(tmp_path.iterdir()) == []


def test_attempts_end_where_one_saved_nothing_but_a_new_call_may_try_again(tmp_path):
    state = TrainingState(tmp_path / "state", "recipe")
    state.begin_attempt(1)
    state.begin_attempt(2)  # with more memory
    for attempt in (3, 4, 50):
        with pytest.raises(
            InputError, match=f"attempt {attempt - 1} ended before it had learned anything more.*`runtime`"
        ):
            state.begin_attempt(attempt)
    state.begin_attempt(1)
    state.save({"epoch": 1})
    state.begin_attempt(2)
    state.begin_attempt(1)  # the head was started again
    state.save({"epoch": 2})
    state.begin_attempt(3)


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_a_damaged_state_is_passed_over(tmp_path, keep, caplog):
    path = tmp_path / "state"
    TrainingState(path, "one").save({"w": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:keep])
    assert TrainingState(path, "one").load() is None
    assert f"{path}: cannot be read" in caplog.text


def test_a_job_killed_while_it_writes_leaves_the_state_before(tmp_path):
    path = tmp_path / "state"
    TrainingState(path, "one").save({"epoch": 1})
    code = """
import os, signal, sys, torch
from bioscan1m.networks import training_state
def half(state, part):
    part.write(b"half")
    part.flush()
    os.kill(os.getpid(), signal.SIGKILL)
torch.save = half
training_state.TrainingState(sys.argv[1], "one").save({"epoch": 2})
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], env=os.environ | {"PYTHONPATH": str(SCRIPTS)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert TrainingState(path, "one").load() == {"epoch": 1}


def test_code_in_a_state_is_not_run(tmp_path):
    torch.save({"recipe": "one", "state": Harmful(tmp_path / "was here")}, tmp_path / "state")
    assert TrainingState(tmp_path / "state", "one").load() is None
    assert not (tmp_path / "was here").exists()


@pytest.mark.parametrize("announced", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_makes_the_state_due_and_ends_the_training_with_one_line(tmp_path, announced):
    state = TrainingState(tmp_path / "state", "one")
    before = signal.getsignal(announced)
    with state.noticing_the_end():
        state.end_if_asked()
        assert not state.is_due
        os.kill(os.getpid(), announced)
        assert state.is_due
        state.save({"step": 1})
        with pytest.raises(InputError, match=rf"asked to end \({announced.name}\).*goes on from {tmp_path}/state"):
            state.end_if_asked()
    assert signal.getsignal(announced) == before


@pytest.mark.parametrize(("slow", "due"), [(0, True), (1.1, False)])
def test_a_state_that_takes_long_to_save_is_not_saved_after_each_short_epoch(tmp_path, monkeypatch, slow, due):
    clock = iter([0, 10, 10 + slow, 12, 12, 12 + 20 * slow, 12 + 20 * slow])
    monkeypatch.setattr(training_state.time, "monotonic", lambda: next(clock))
    state = TrainingState(tmp_path / "state", "one")
    state.save({})
    assert state.is_due_after_an_epoch == due
    assert state.is_due_after_an_epoch


def test_a_state_is_due_some_time_after_the_last(tmp_path):
    assert TrainingState(tmp_path / "state", "one", seconds=0).is_due
    state = TrainingState(tmp_path / "state", "one", seconds=0.2)
    wait_until = time.monotonic() + 0.2
    while time.monotonic() < wait_until:
        pass
    assert state.is_due
    state.save({})
    assert not state.is_due
