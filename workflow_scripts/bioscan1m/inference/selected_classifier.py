"""The classifier that an experiment selected, found among the models of many experiments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bioscan1m.experiments.evaluation import find_selected
from bioscan1m.experiments.trained_classifier import TrainedClassifier, load_trained
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.weights import digest_of_weights, read_recipe


@dataclass(frozen=True)
class SelectedClassifier:
    """The classifier that an experiment selected."""

    trained: TrainedClassifier
    recipe_digest: str  # of the job that made its file; empty where no job did

    @property
    def name(self) -> str:
        """Experiment, trial and seed."""
        trial = self.trained.recipe["trial"]
        return f"{trial['experiment']}/{trial['backbone']}_{trial['loss']}/seed{trial['seed']}"


def load_selected(selection: str | Path, models: Sequence[str | Path]) -> SelectedClassifier:
    """The classifier that a selection.json names, from its file among `models`, which may be of many experiments.

    Raises InputError where it is not among them, or its file is damaged.
    """
    experiment = json.loads(Path(selection).read_text(encoding="utf-8"))["experiment"]
    own = [file for file in models if read_recipe(file)["trial"]["experiment"] == experiment]
    if not own:
        raise InputError(f"{selection}: none of {len(models)} models is of the experiment {experiment}; train it first")
    file = find_selected(own, selection)
    return SelectedClassifier(load_trained(file), digest_of_weights(file))
