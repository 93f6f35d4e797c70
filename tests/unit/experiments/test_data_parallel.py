"""Processes that train together learn what one learns alone, and none outlives the others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_experiment import VIT, make_package, make_settings, make_training

from bioscan1m.experiments.batch_order import EpochBatches
from bioscan1m.experiments.batches import Batches
from bioscan1m.experiments.process_group import ALONE, Group
from bioscan1m.experiments.trained import Trained
from bioscan1m.experiments.training import train
from bioscan1m.experiments.training_data import LabelledImages
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.gpu_allocation import cpu_allowed
from bioscan1m.networks.training_state import TrainingState

FOLDERS = [*map(str, Path(__file__).parents[:2]), str(Path(__file__).parents[3] / "workflow_scripts")]


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> tuple[Path, Path]:
    """A package, some of whose images cannot be read, and its split."""
    return make_package(tmp_path_factory.mktemp("toy"), missing=1, damaged=3)


def trained_with(toy: tuple[Path, Path], folder: Path, **training: object) -> Trained:
    """Three epochs of a network without batch norm; a step has 10 images, the last of an epoch 1."""
    trial = make_settings(VIT, epochs=3, batch_size=10, optimizer="sgd", **training)
    return train(*toy, [], trial, TrainingState(folder / "state", str(training)))


@pytest.mark.parametrize("shared", [{"accumulation": 3}, {"processes": 2, "accumulation": 2}], ids=str)
def test_sharing_a_step_changes_a_training_by_no_more_than_rounding(toy, tmp_path, shared):
    alone, together = trained_with(toy, tmp_path), trained_with(toy, tmp_path, **shared)
    assert together.skipped == alone.skipped and len(alone.skipped["train"]) == 3
    assert together.validation.image_files == alone.validation.image_files
    for row, other in zip(together.history, alone.history, strict=True):
        assert row == pytest.approx(other, rel=1e-4)
    assert np.allclose(together.validation.logits, alone.validation.logits, atol=1e-4)
    for name, tensor in together.weights.items():
        torch.testing.assert_close(tensor, alone.weights[name], rtol=1e-3, atol=1e-4)


def test_the_parts_of_a_step_are_the_step():
    whole = list(EpochBatches(23, 10, seed=1))
    groups = [Group(rank, 3) for rank in range(3)]
    parts = [list(EpochBatches(23, 10, seed=1, passes=2, group=group)) for group in groups]
    assert {len(own) for own in parts} == {6}
    for step, batch in enumerate(whole):
        assert [key for own in parts for part in own[2 * step : 2 * step + 2] for key in part] == batch


def test_shares_of_an_evaluation_are_all_images_in_their_order():
    images = LabelledImages(list("abcdefg"), np.arange(7))
    shares = [images.share(Group(rank, 3)) for rank in range(3)]
    assert [name for share in shares for name in share.image_files] == images.image_files
    assert np.array_equal(np.concatenate([share.labels for share in shares]), images.labels)
    assert images.share(ALONE).image_files == images.image_files


def test_a_batch_with_fewer_images_than_parts_is_an_error(toy):
    training = make_training(batch_size=3, processes=2, accumulation=2)
    with pytest.raises(InputError, match="3 images are too few for 4 parts"):
        Batches(toy[0], LabelledImages(["a.jpg"], np.zeros(1, dtype=np.int64)), training, 1)


def two_processes(code: str) -> subprocess.Popen[str]:
    """A process that runs code and may start another; both write to one pipe."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(FOLDERS)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def fail_as_second(group: Group) -> None:
    """The second process fails while the first waits for it."""
    if group.rank == 1:
        raise InputError("the second finds no image")
    group.gather(None)


def name_cpu_permissions(group: Group) -> None:
    """Whether each process may compute on the CPU where the job was given a GPU."""
    print("allowed", group.gather(cpu_allowed()), flush=True)


def wait_for_ever(group: Group) -> None:
    """Both work, and would go on."""
    print("started", group.gather(os.getpid()), flush=True)
    signal.pause()


def test_a_process_that_fails_ends_the_others_with_its_reason():
    code = """
import logging, test_data_parallel as t
from bioscan1m.experiments.data_parallel import run_together
logging.basicConfig()
if __name__ == "__main__":
    run_together(2, t.fail_as_second)
"""
    with two_processes(code) as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "a process that trains along failed: the second finds no image" in output


def test_a_killed_process_leaves_none_behind():
    code = """
import test_data_parallel as t
from bioscan1m.experiments.data_parallel import run_together
run_together(2, t.wait_for_ever)
"""
    with two_processes(code) as process:
        assert "started" in process.stdout.readline() + process.stdout.readline()
        process.kill()
        process.communicate(timeout=60)  # the pipe ends when the last process that holds it does


def test_what_the_config_allows_one_process_it_allows_all():
    code = """
import test_data_parallel as t
from bioscan1m.experiments.data_parallel import run_together
from bioscan1m.foundation.gpu_allocation import allowing_cpu
if __name__ == "__main__":
    with allowing_cpu(True):
        run_together(2, t.name_cpu_permissions)
"""
    with two_processes(code) as process:
        output, _ = process.communicate(timeout=120)
    assert "allowed [True, True]" in output
