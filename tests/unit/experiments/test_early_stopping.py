"""Patience counts from the last step of the learning rate on, so that no training ends before its rate has fallen."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_experiment import make_training

from bioscan1m.experiments.optimization import learning_rate
from bioscan1m.experiments.training_history import Best, TrainingHistory


def epochs_trained(best_epochs: set[int], **settings: object) -> int:
    """How many epochs a training takes of which these are each better than all before."""
    training, history = make_training(**settings), TrainingHistory()
    while not history.is_over(training):
        history.learned.append({})
        if len(history) == 1 or len(history) in best_epochs:
            history.best = Best(len(history), {}, [], torch.zeros(0), torch.zeros(0))
    return len(history)


@pytest.mark.parametrize(
    ("best", "settings", "trained"),
    [
        ({2}, {"patience": 10, "learning_rate_steps": [20, 25]}, 35),  # as Large
        ({2, 30}, {"patience": 10, "learning_rate_steps": [20, 25]}, 40),
        ({2, 24}, {"patience": 10, "learning_rate_steps": [25, 20]}, 35),
        ({2}, {"patience": 10, "learning_rate_steps": []}, 12),
        ({2}, {"patience": 10, "learning_rate_steps": [5]}, 15),
        ({2, 9}, {"patience": 10, "learning_rate_steps": [5]}, 19),
        ({2}, {"patience": 10, "learning_rate_steps": [5, 100, 200]}, 15),  # those are never reached
        ({2}, {"patience": 10, "learning_rate_decay": "cosine", "learning_rate_steps": [20, 25]}, 12),
        ({2}, {"patience": 100, "learning_rate_steps": [20, 25]}, 100),
    ],
)
def test_a_training_ends_when_patience_is_used_up_after_the_last_step(best, settings, trained):
    assert epochs_trained(best, **{"epochs": 100, **settings}) == trained


@given(
    best=st.sets(st.integers(1, 40)),
    steps=st.lists(st.integers(1, 60), max_size=3),
    patience=st.integers(1, 30),
    epochs=st.integers(1, 40),
)
def test_a_training_that_stops_early_has_had_its_lowest_rate_for_as_long_as_patience(best, steps, patience, epochs):
    settings = {"patience": patience, "epochs": epochs, "learning_rate_steps": steps}
    trained, training = epochs_trained(best, **settings), make_training(**settings)
    if trained < epochs:
        lowest = learning_rate(training, epochs)
        assert all(learning_rate(training, trained - back) == lowest for back in range(patience))
        assert not best & set(range(trained - patience + 1, trained + 1))
