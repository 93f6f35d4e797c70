"""TensorBoard reads the figures of a training back, and its absence is told before one begins."""

from __future__ import annotations

import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from bioscan1m.experiments.training_events import check_tensorboard, write_events
from bioscan1m.foundation.errors import InputError


def test_tensorboard_reads_every_figure_by_epoch(tmp_path):
    history = [{"epoch": epoch, "train_loss": 1 / epoch, "micro_top1": epoch / 4} for epoch in (1, 2, 3)]
    speed = [{"epoch": epoch, "train_seconds": 2.5} for epoch in (1, 2, 3)]
    check_tensorboard()
    write_events(tmp_path / "trial/events.tfevents", history, speed)
    assert [path.name for path in (tmp_path / "trial").iterdir()] == ["events.tfevents"]
    read = EventAccumulator(str(tmp_path / "trial")).Reload()  # finds the file in the folder of its trial
    assert sorted(read.Tags()["scalars"]) == ["micro_top1", "train_loss", "train_seconds"]
    losses = [(event.step, event.value) for event in read.Scalars("train_loss")]
    assert losses == [(row["epoch"], pytest.approx(row["train_loss"])) for row in history]


def test_without_tensorboard_the_key_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(InputError, match=r"classifier\.tensorboard: the package tensorboard is not installed"):
        check_tensorboard()
