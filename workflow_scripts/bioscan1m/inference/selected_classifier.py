"""The classifier that an experiment selected, found among the models of many experiments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bioscan1m.experiments.evaluation import find_selected
from bioscan1m.experiments.trained_classifier import TrainedClassifier, load_trained
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.weights import read_recipe


def load_selected(selection: str | Path, models: Sequence[str | Path]) -> TrainedClassifier:
    """The classifier that a selection.json names, from its file among `models`, which may be of many experiments.

    Raises InputError where it is not among them, or its file is damaged.
    """
    experiment = json.loads(Path(selection).read_text(encoding="utf-8"))["experiment"]
    own = [file for file in models if read_recipe(file)["trial"]["experiment"] == experiment]
    if not own:
        raise InputError(f"{selection}: none of {len(models)} models is of the experiment {experiment}; train it first")
    return load_trained(find_selected(own, selection))
