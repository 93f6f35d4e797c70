"""A released classification checkpoint as a model of this pipeline, for the test on the same images as ours.

The released files (`*_weights_best_acc.tar`) hold a state under `model`, with torchvision's or timm's names, some of it
behind the `module.` of a network on several GPUs. Their classes have no names: a class is known by its rank in the
number of training images, the largest first, and of equally large ones the one that comes first. So they fit the
published split alone. The released loader scales pixels to 0..1 and does no more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bioscan1m.checkpoints import read_state
from bioscan1m.errors import InputError
from bioscan1m.experiments.batches import Channels
from bioscan1m.experiments.classifiers import build_classifier, describe_model, head_weights, load_all_weights
from bioscan1m.experiments.trained import describe_recipe
from bioscan1m.experiments.training_data import read_split
from bioscan1m.weights import write_weights

DATA_PARALLEL = "module."
UNIT_RANGE = Channels((0, 0, 0), (1, 1, 1))
TIMM_HEAD = "head.weight"
TIMM_LAYER_NORM = {"layer_norm_eps": 1e-6}  # of timm's ViT; that of transformers is 1e-12
# timm's names of a ViT's parts, and those of transformers.
TIMM_NAMES = {
    r"cls_token": "vit.embeddings.cls_token",
    r"pos_embed": "vit.embeddings.position_embeddings",
    r"patch_embed\.proj\.(.+)": r"vit.embeddings.patch_embeddings.projection.\1",
    r"blocks\.(\d+)\.norm1\.(.+)": r"vit.layers.\1.layernorm_before.\2",
    r"blocks\.(\d+)\.attn\.proj\.(.+)": r"vit.layers.\1.attention.o_proj.\2",
    r"blocks\.(\d+)\.norm2\.(.+)": r"vit.layers.\1.layernorm_after.\2",
    r"blocks\.(\d+)\.mlp\.(.+)": r"vit.layers.\1.mlp.\2",
    r"norm\.(.+)": r"vit.layernorm.\1",
    r"head\.(.+)": r"classifier.\1",
}


def import_released(path: str | Path, checkpoint: str | Path, split: str | Path, trial: Mapping[str, Any]) -> None:
    """Write a released checkpoint as a model of ours, its classes in the order of the split's.

    `trial` is as for a training; of it the backbone and the crop matter here. Raises InputError for a file that is no
    such checkpoint or holds more than data, and where its classes or its weights are not as many as the split and the
    backbone say.
    """
    weights, settings = read_released(checkpoint)
    backbone = trial["backbone_settings"]
    backbone = {**backbone, "settings": {**settings, **backbone["settings"]}}
    classes, images = read_split(split)
    model = build_classifier(backbone, len(classes), trial["training"]["crop"])
    head = head_weights(model)
    ranked = classes_by_images(images["train"].labels)
    _check_classes(checkpoint, split, {len(weights[name]) for name in head & set(weights)}, len(ranked), len(classes))
    places = torch.from_numpy(np.argsort(ranked))
    weights |= {name: weights[name][places] for name in head & set(weights)}
    load_all_weights(model, weights, checkpoint)
    recipe = describe_recipe(classes, dict(trial), describe_model(backbone, model), UNIT_RANGE)
    write_weights(path, model.state_dict(), recipe)


def read_released(checkpoint: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The weights of a released file under the names of torchvision or transformers, and settings that they imply."""
    state = read_state(checkpoint, "model", "a released classification checkpoint")
    weights = {name.removeprefix(DATA_PARALLEL): tensor for name, tensor in state.items()}
    if TIMM_HEAD not in weights:
        return weights, {}
    return {new: part for name, tensor in weights.items() for new, part in _from_timm(name, tensor)}, TIMM_LAYER_NORM


def classes_by_images(labels: np.ndarray) -> np.ndarray:
    """Classes that have images, those with most images first, of equal ones that which comes first in `labels`."""
    classes, first, images = np.unique(labels, return_index=True, return_counts=True)
    return classes[np.lexsort((first, -images))]


def _from_timm(name: str, tensor: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """A weight of timm's ViT by its name in transformers, in three where timm has query, key and value in one."""
    if joined := re.fullmatch(r"blocks\.(\d+)\.attn\.qkv\.(.+)", name):
        block, kind = joined.groups()
        parts = zip("qkv", tensor.chunk(3), strict=True)
        return [(f"vit.layers.{block}.attention.{part}_proj.{kind}", value) for part, value in parts]
    for pattern, own in TIMM_NAMES.items():
        if found := re.fullmatch(pattern, name):
            return [(found.expand(own), tensor)]
    return [(name, tensor)]


def _check_classes(checkpoint: str | Path, split: str | Path, rows: set[int], trained: int, classes: int) -> None:
    """Raise InputError where the checkpoint knows another number of classes than the split has."""
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
