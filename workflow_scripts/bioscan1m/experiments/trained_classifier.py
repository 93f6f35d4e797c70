"""A classifier read back from its file, and its predictions; each image is decoded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bioscan1m.experiments.batches import Batches
from bioscan1m.experiments.classifiers import build_classifier, load_trained_weights
from bioscan1m.experiments.cuda_graphs import Computation
from bioscan1m.experiments.passes import BatchLogits
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.experiments.settings import Backbone, BatchSettings, settings_of
from bioscan1m.experiments.training_data import LabelledImages
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.progress import Progress
from bioscan1m.networks.channels import CHANNELS_BEFORE, Channels
from bioscan1m.networks.device import prepare_device, to_device
from bioscan1m.networks.device_memory import too_little_memory, within_memory
from bioscan1m.networks.weights import read_recipe

# image_file and reason of each image that could not be used
Skipped = list[dict[str, str]]


@dataclass(frozen=True)
class TrainedClassifier:
    """A trained network on its device, with its recipe: classes, trial, true model, and the channels of its input."""

    recipe: dict[str, Any]  # as in the model's file
    model: nn.Module

    @property
    def experiment(self) -> str:
        """The experiment whose images it learned from."""
        return self.recipe["trial"]["experiment"]

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the logits."""
        return self.recipe["classes"]

    @property
    def channels(self) -> Channels:
        """Those that it was trained on; the config of the run that uses it has no say in them."""
        stated = self.recipe.get("channels", CHANNELS_BEFORE._asdict())
        return Channels(tuple(stated["mean"]), tuple(stated["std"]))

    def predict(self, package: str | Path, images: LabelledImages, progress: Progress) -> tuple[Predictions, Skipped]:
        """As the function `predict`, with the batches of its training.

        Args:
            package: the HDF5 file.
            images: those to predict.
            progress: advances with each image.

        Returns:
            Predictions for all images that can be read, in their order, and the others with their reasons.

        Raises:
            InputError: not one image can be read, or a batch is too large for the memory.
        """
        batches = Batches(package, images, self._settings)

        def look() -> tuple[Predictions, Skipped]:
            with torch.no_grad():
                logits = Computation(self._logits(), batches.shape)
            return predict(logits, batches, self.classes, progress)

        return within_memory(look, self._too_little_memory)

    def look_at(self, package: str | Path, image_files: Sequence[str]) -> tuple[Predictions, Skipped]:
        """The same for images without labels, whose true classes in the predictions mean nothing."""
        images = LabelledImages(list(image_files), np.zeros(len(image_files), np.int64))
        return self.predict(package, images, Progress(self.experiment, len(images)))

    @property
    def _settings(self) -> BatchSettings:
        uncached = {"cache_images": False}  # each image is needed once
        return settings_of(BatchSettings, self.recipe["trial"]["training"] | uncached)

    def _logits(self) -> BatchLogits:
        return BatchLogits(self.model, self.channels, self._settings.precision).eval()

    def _too_little_memory(self) -> InputError:
        logits, device = self._logits(), next(self.model.parameters()).device
        settings = self._settings
        images, *pixels = settings.pass_shape

        @torch.no_grad()
        def run(images: int) -> None:
            logits(torch.zeros(images, *pixels, dtype=torch.uint8, device=device))

        def advice(fitting: int) -> str:
            return (
                f"use it where more memory is free, or set classifier.overrides.{self.experiment}.accumulation in the "
                f"config to {settings.accumulation_for(fitting)}, which makes the models of {self.experiment} again, "
                "for as small passes"
            )

        return too_little_memory(
            what=f"the classifier of {self.experiment} by {self.recipe['trial']['backbone']}",
            images=images,
            pixels=f"{settings.crop}",
            run=run,
            advice=advice,
            smaller="backbone or crop",
        )


def load_trained(file: str | Path) -> TrainedClassifier:
    """The classifier of a file, ready on the device, with the threads of its training.

    Raises InputError where the file is damaged or its weights are not those of its recipe.
    """
    recipe = read_recipe(file)
    training = recipe["trial"]["training"]
    device = prepare_device(training["threads"], seed=0)  # nothing is drawn
    model = build_classifier(settings_of(Backbone, recipe["model"]), len(recipe["classes"]), training["crop"])
    load_trained_weights(model, file)
    return TrainedClassifier(recipe, to_device(model, device))


@torch.no_grad()
def predict(
    logits_of: Computation, batches: Batches, classes: list[str], progress: Progress
) -> tuple[Predictions, Skipped]:
    """Predict the classes of images.

    Args:
        logits_of: computes the logits of a batch.
        batches: the images, in order.
        classes: the names of the classes, in the order of the logits.
        progress: advances with each image.

    Returns:
        Predictions for all images that can be read, in their order, and the others with their reasons.

    Raises:
        InputError: not one image can be read.
    """
    images = batches.images
    device = next(logits_of.compute.eval().parameters()).device
    indices, logits, skipped = [], [], []
    for batch in batches:
        skipped += batch.skipped
        if len(batch.labels):
            logits.append(logits_of(batch.images.to(device, non_blocking=True)).to("cpu", non_blocking=True))
            indices.append(batch.indices)
        progress.advance(len(batch.labels) + len(batch.skipped))
    if not logits:
        raise InputError(f"none of {len(images)} images can be read; the first: {name_skipped(images, skipped[:1])}")
    places = np.concatenate(indices)
    image_files = [images.image_files[index] for index in places]
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # the copies of the logits were not waited for
    predictions = Predictions(classes, image_files, images.labels[places], torch.cat(logits).numpy())
    return predictions, name_skipped(images, skipped)


def name_skipped(images: LabelledImages, skipped: Sequence[tuple[int, str]]) -> Skipped:
    """The images that could not be used by name, each with the reason."""
    return [{"image_file": images.image_files[index], "reason": reason} for index, reason in skipped]
