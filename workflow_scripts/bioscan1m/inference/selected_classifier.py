"""The classifier that an experiment selected, read back from its file and ready for any images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from bioscan1m.device import prepare_device, to_device
from bioscan1m.errors import InputError
from bioscan1m.experiments.classifiers import build_classifier, load_trained_weights
from bioscan1m.experiments.evaluation import Skipped, find_selected, predict
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.training_data import LabelledImages, load_batches
from bioscan1m.progress import Progress
from bioscan1m.weights import read_recipe


@dataclass(frozen=True)
class SelectedClassifier:
    """A trained network on its device, with what it needs to look at images."""

    experiment: str
    classes: list[str]
    training: dict[str, Any]  # the config's, as it was trained with
    model: nn.Module

    def predict(self, package: str | Path, image_files: Sequence[str]) -> tuple[Predictions, Skipped]:
        """Predictions for those images of the package that can be read, in their order, and the others with reasons.

        The true classes of the predictions mean nothing. Raises InputError where no image can be read.
        """
        images = LabelledImages(list(image_files), np.zeros(len(image_files), np.int64))
        progress = Progress(self.experiment, len(images))
        batches = load_batches(package, images, self.training)
        return predict(self.model, batches, images, self.classes, progress, self.training["precision"])


def load_selected(selection: str | Path, models: Sequence[str | Path]) -> SelectedClassifier:
    """The classifier that a selection.json names, from its file among `models`, which may be of many experiments.

    Raises InputError where it is not among them, or its file is damaged.
    """
    experiment = json.loads(Path(selection).read_text(encoding="utf-8"))["experiment"]
    own = [file for file in models if read_recipe(file)["trial"]["experiment"] == experiment]
    if not own:
        raise InputError(f"{selection}: none of {len(models)} models is of the experiment {experiment}; train it first")
    file = find_selected(own, selection)
    recipe = read_recipe(file)
    training = recipe["trial"]["training"] | {"cache_images": False}  # one pass: nothing to keep
    device = prepare_device(training["threads"], recipe["trial"]["seed"])
    model = build_classifier(recipe["model"], len(recipe["classes"]), training["crop"])
    load_trained_weights(model, file)
    return SelectedClassifier(experiment, recipe["classes"], training, to_device(model, device))
