"""Make a model of this pipeline from a released checkpoint.

The released files (`*_weights_best_acc.tar`) hold a state under `model`, with torchvision's or timm's names, some of it
behind the `module.` of a network on several GPUs. Their classes have no names: a class is known by its rank in the
number of training images, the largest first, and of equally large ones the one that comes first. So they fit the
published split alone. The released loader scales pixels to 0..1 and does no more.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioscan1m.experiments.classifiers import build_classifier, describe_model, head_weights, load_all_weights
from bioscan1m.experiments.settings import Backbone, settings_of
from bioscan1m.experiments.trained import describe_recipe
from bioscan1m.experiments.training_data import read_split
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.context import job
from bioscan1m.networks.channels import UNIT_RANGE
from bioscan1m.networks.checkpoints import read_state
from bioscan1m.networks.timm_vit import TIMM_HEAD, TIMM_LAYER_NORM, from_timm
from bioscan1m.networks.weights import write_weights

DATA_PARALLEL = "module."


def import_released(path: str | Path, checkpoint: str | Path, split: str | Path, trial: Mapping[str, Any]) -> None:
    """Write a released checkpoint as a model of ours, its classes in the order of the split's.

    Args:
        path: the model.
        checkpoint: the released file.
        split: the table of the experiment that it was trained for.
        trial: plain values as of a training, which the model records; the backbone and the crop matter here.

    Raises:
        InputError: the file is no such checkpoint or holds more than data, or its classes or its weights are not as
            many as those of the split and the backbone.
    """
    weights, settings = read_released(checkpoint)
    backbone = settings_of(Backbone, trial["backbone_settings"])
    backbone = replace(backbone, settings={**settings, **backbone.settings})
    classes, images = read_split(split)
    model = build_classifier(backbone, len(classes), trial["training"]["crop"])
    head = head_weights(model)
    ranked = classes_by_images(images["train"].labels)
    rows = {len(weights[name]) for name in head & set(weights)}
    _check_classes(checkpoint, split, rows=rows, trained=len(ranked), classes=len(classes))
    places = torch.from_numpy(np.argsort(ranked))
    weights |= {name: weights[name][places] for name in head & set(weights)}
    load_all_weights(model, weights, checkpoint)
    recipe = describe_recipe(classes, trial, describe_model(backbone, model), UNIT_RANGE)
    write_weights(path, model.state_dict(), recipe)


def read_released(checkpoint: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The weights of a released file under the names of torchvision or transformers, and settings that they imply."""
    state = read_state(checkpoint, "model", "a released classification checkpoint")
    weights = {name.removeprefix(DATA_PARALLEL): tensor for name, tensor in state.items()}
    if TIMM_HEAD not in weights:
        return weights, {}
    return from_timm(weights), TIMM_LAYER_NORM


def classes_by_images(labels: np.ndarray) -> np.ndarray:
    """Classes that have images, those with most images first, of equal ones that which comes first in `labels`."""
    classes, first, images = np.unique(labels, return_index=True, return_counts=True)
    return classes[np.lexsort((first, -images))]


def _check_classes(checkpoint: str | Path, split: str | Path, rows: set[int], trained: int, classes: int) -> None:
    """Raise InputError where the checkpoint has another number of classes than the split."""
    if trained < classes:
        raise InputError(
            f"{split}: {classes - trained} of {classes} classes have no training images, by whose number the classes "
            f"of {checkpoint} are known; test it on the published split (splits.policy: published)"
        )
    if rows and rows != {classes}:
        raise InputError(
            f"{checkpoint}: a classifier of {rows.pop()} classes, but {split} has {classes}; name the experiment that "
            "it was trained for (classifier.checkpoints), and take the published split (splits.policy: published)"
        )


if __name__ == "__main__":
    with job(snakemake):
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        import_released(outputs.model, inputs.checkpoint, inputs.split, params.trial)
