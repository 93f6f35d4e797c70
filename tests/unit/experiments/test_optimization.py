"""Optimizers and learning rates are those of the config, and losses that are no numbers are found."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from toy_experiment import make_training

from bioscan1m.experiments.optimization import (
    STEPS_BETWEEN_CHECKS,
    EpochLoss,
    learning_rate,
    make_optimizer,
)
from bioscan1m.experiments.process_group import ALONE


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_optimizers_have_the_settings_of_the_config(optimizer):
    group = make_optimizer(nn.Linear(2, 2), make_training(optimizer=optimizer)).defaults
    assert (group["lr"], group["weight_decay"]) == (0.01, 1e-4)
    if optimizer == "sgd":
        assert group["nesterov"] is True


def test_the_learning_rate_falls_after_the_steps_or_along_a_cosine():
    training = {"learning_rate": 1e-3, "epochs": 30}
    steps = make_training(**training, learning_rate_decay="steps", learning_rate_steps=[20, 25])
    assert [learning_rate(steps, epoch) for epoch in (1, 20, 21, 25, 26)] == pytest.approx(
        [1e-3, 1e-3, 1e-4, 1e-4, 1e-5]
    )
    cosine = make_training(**training, learning_rate_decay="cosine")
    assert [learning_rate(cosine, epoch) for epoch in (1, 16, 31)] == pytest.approx([1e-3, 5e-4, 0])


def test_the_mean_loss_counts_every_image_the_same():
    losses = EpochLoss(ALONE)
    for loss_sum, images in ((6.0, 2), (3.0, 1), (1.0, 2)):
        losses.add(torch.tensor(loss_sum), images)
    assert (losses.mean(), losses.images) == (2, 5)


@pytest.mark.parametrize("step", [1, STEPS_BETWEEN_CHECKS, 2 * STEPS_BETWEEN_CHECKS + 7])
def test_the_first_loss_that_is_no_number_is_found_by_its_step(step):
    losses = EpochLoss(ALONE)
    with pytest.raises(FloatingPointError, match=f"^{step}$"):
        for number in range(1, 3 * STEPS_BETWEEN_CHECKS):
            losses.add(torch.tensor(math.nan if number >= step else 1.0), 1)
        losses.mean()
