"""The settings of a trial are those of its plain values, which files of results record as they are."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from toy_experiment import RESNET, TRAINING, make_training, make_trial

from bioscan1m.experiments.settings import Backbone, settings_of, trial_of


def test_a_trial_has_the_values_of_the_config():
    values = make_trial(gamma=2)
    trial = trial_of(values)
    assert asdict(trial.training) == TRAINING and trial.gamma == 2
    assert trial.title == "small_insect_order, resnet50_focal, seed 1"
    assert trial.recorded is values


def test_values_of_other_settings_are_left_out_and_missing_ones_are_an_error():
    assert vars(settings_of(Backbone, RESNET)) == {key: RESNET[key] for key in ("library", "name", "settings")}
    with pytest.raises(KeyError, match="library"):
        settings_of(Backbone, {"name": "resnet50"})


def test_a_pass_has_its_part_of_a_step():
    training = make_training(batch_size=10, processes=2, accumulation=2, crop=32)
    assert training.parts == 4 and training.pass_shape == (3, 32, 32, 3)
    for images in range(1, 6):
        needed = make_training(batch_size=10, processes=2, accumulation=training.accumulation_for(images))
        assert needed.pass_shape[0] <= images
