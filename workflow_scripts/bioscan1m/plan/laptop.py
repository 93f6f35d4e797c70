"""The recipe for a laptop: a pretrained trunk that stays as it is, or a small network where nothing can be fetched."""

from __future__ import annotations

import logging
import socket
import time
from dataclasses import dataclass
from typing import Any

import torch
import yaml

from bioscan1m.experiments.classifiers import build_classifier, class_logits
from bioscan1m.experiments.settings import Backbone, settings_of
from bioscan1m.foundation.checkout import REPOSITORY
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.pretrained import fetch_from_torchvision

logger = logging.getLogger(__name__)

DEMO_CONFIG = REPOSITORY / "tests/demo/config.yaml"
CORES = 2  # that are counted on
# A network that is fast on a CPU. Not IMAGENET1K_V2: weights that were trained with smoothed labels are better on
# ImageNet, but their features are worse for other classes (Kornblith et al. 2021).
NAME, WEIGHTS = "mobilenet_v3_large", "IMAGENET1K_V1"
PRETRAINED: dict[str, Any] = {
    "library": "torchvision",
    "name": NAME,
    "weights": WEIGHTS,
    "normalisation": "weights",
    "settings": {},
}
MEGABYTES = 21  # of these weights
SECONDS_WITHOUT_A_BYTE = 30
# Measured on real photographs, see docs/classifiers.md. So large a decay (of AdamW, which takes it apart from the
# gradients) keeps a head of a thousand inputs from learning a few hundred images by heart.
HEAD_TRAINING = {
    "freeze": "trunk",
    "short_side": 256,
    "crop": 224,
    "epochs": 60,
    "patience": 60,
    "optimizer": "adamw",
    "learning_rate": 3.0e-3,
    "weight_decay": 3.0,
    "learning_rate_decay": "cosine",
    "workers": 1,
    "threads": 1,
}
SMALL_NETWORK_EPOCHS = {"epochs": 40, "patience": 40, "learning_rate_steps": [32]}

# Of the estimate, in seconds; the network is measured, these are rates of a core of the laptop that docs/classifiers.md
# was measured on.
PACKING = 0.03  # to read, resize and pack a photograph
JOB = 8  # to start a job with torch
JOBS_OF_A_RUN = 20  # besides the trainings and what follows from them for an experiment
JOBS_OF_AN_EXPERIMENT = 5
TESTED = 0.3  # share of the images that the selected classifiers look at again
LEARNING = 3  # a step of training takes so much longer than to look at the images
MEASURED_IMAGES = 8
MINUTE = 60


@dataclass(frozen=True)
class LaptopRecipe:
    """A backbone with its name, and the settings of the training that differ from those of the full run."""

    name: str
    backbone: dict[str, Any]
    training: dict[str, Any]

    @property
    def is_frozen(self) -> bool:
        """Whether the images are looked at once and the last layer alone is trained."""
        return self.training.get("freeze") == "trunk"

    def apply_to(self, classifier: dict[str, Any]) -> None:
        """Make this the only network of a config; it sees whole photographs, since a detector would take hours."""
        loss = next(iter(classifier["losses"]))
        classifier |= {
            "package": "original_256",
            "backbones": {self.name: self.backbone},
            "training": classifier["training"] | self.training,
            "trials": {experiment: [f"{self.name}_{loss}"] for experiment in classifier["trials"]},
        }


def choose_recipe() -> LaptopRecipe:
    """The pretrained network if its weights can be fetched, now, to torch's cache; else the demo's small network.

    The log has which one, and why.
    """
    socket.setdefaulttimeout(SECONDS_WITHOUT_A_BYTE)  # torch's client states none
    logger.info("fetching the weights of %s (%d MB), pretrained on ImageNet ...", NAME, MEGABYTES)
    try:
        fetch_from_torchvision(NAME, WEIGHTS)
    except InputError as error:
        logger.warning(
            "%s\nA small network is chosen, which is trained from random weights: it is worse, and takes longer. For "
            "the pretrained one remove config.yaml, and call this again where %s can be fetched",
            error,
            NAME,
        )
        return _small_recipe()
    logger.info("%s is chosen: its weights are here; only its last layer is trained (freeze: trunk)", NAME)
    return LaptopRecipe(NAME, PRETRAINED, HEAD_TRAINING)


def _small_recipe() -> LaptopRecipe:
    """The demo's smallest network from random weights, trained longer than there: real photographs are harder."""
    classifier = yaml.safe_load(DEMO_CONFIG.read_text(encoding="utf-8"))["classifier"]
    backbone = next(iter(classifier["backbones"].values()))
    return LaptopRecipe("small_resnet", backbone, classifier["training"] | SMALL_NETWORK_EPOCHS)


def log_time(recipe: LaptopRecipe, images: int, experiments: int, seeds: int) -> None:
    """Log how long a run will take. Arguments as in `estimate_minutes`, without the measurement, which is made here."""
    glance = _seconds_per_image(recipe)
    logger.info("%s looks at an image in %.0f ms on one core of this machine", recipe.name, glance * 1000)
    logger.info(
        "%d images, %d experiments with %d trainings each: about %d minutes on %d cores, without a detector: the "
        "classifiers see whole photographs (docs/classifiers.md, On a laptop)",
        *(images, experiments, seeds, estimate_minutes(recipe, images, experiments, seeds, glance), CORES),
    )


def estimate_minutes(recipe: LaptopRecipe, images: int, experiments: int, seeds: int, glance: float) -> int:
    """How long a run takes on two cores, rounded up.

    Args:
        recipe: what is trained.
        images: of the run, and taken for those of each experiment.
        experiments: their number.
        seeds: trainings of each experiment.
        glance: seconds in which one core passes an image through the network.

    Returns:
        Minutes.
    """
    passes = 1 if recipe.is_frozen else experiments * seeds * recipe.training["epochs"] * LEARNING
    jobs = JOBS_OF_A_RUN + experiments * (seeds + JOBS_OF_AN_EXPERIMENT)
    seconds = images * (PACKING + glance * (passes + TESTED * experiments)) + jobs * JOB
    return int(seconds / CORES / MINUTE) + 1


def _seconds_per_image(recipe: LaptopRecipe) -> float:
    """Measured on black images, on one core."""
    torch.set_num_threads(1)
    crop = recipe.training["crop"]
    model = build_classifier(settings_of(Backbone, recipe.backbone), 2, crop)
    images = torch.zeros(MEASURED_IMAGES, 3, crop, crop)
    with torch.no_grad():
        class_logits(model, images)  # the first pass also allocates memory
        started = time.perf_counter()
        class_logits(model, images)
    return (time.perf_counter() - started) / MEASURED_IMAGES
