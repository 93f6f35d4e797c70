"""A kept state comes back whole, or training begins anew; a job that is killed while it writes loses nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from harmful import Harmful

from bioscan1m.foundation.errors import InputError
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
        with pytest.raises(InputError, match=f"attempt {attempt - 1} ended before it saved an epoch.*`runtime`"):
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
