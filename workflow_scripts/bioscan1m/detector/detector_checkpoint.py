"""The released crop tool's checkpoint: a PyTorch Lightning file, read as data and never run.

Lightning pickles whatever a module keeps, also settings in classes of its own. `torch.load` with `weights_only` builds
tensors and plain containers; in place of every other class that the file names, an empty one takes what the file has
for it and does nothing, so that a file from outside cannot run code. The state's keys have the name of the attribute
that held the model before them (`model.`, in some wrappers twice), and the backbone has timm's names.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals
from transformers import DetrForObjectDetection

from bioscan1m.detector.detector_architecture import CLASS_NAMES, build_model, with_classes
from bioscan1m.detector.detector_backbone import with_own_backbone
from bioscan1m.errors import InputError

# Of facebook/detr-resnet-50, where it differs from the defaults of transformers: none but the backbone, which
# with_own_backbone adds.
DETR_RESNET_50 = {"model_type": "detr", "backbone": "resnet50"}
NAMED = 5  # values that a message names
CLASS_HEAD = "class_labels_classifier"
QUERIES = "model.query_position_embeddings.weight"


class Filled:
    """Stands in for any class or function of a file but those of tensors and plain data, and does nothing.

    What it makes is an OrderedDict, since that is what `weights_only` allows a file to fill with items.
    """

    def __new__(cls, *_: Any, **__: Any) -> OrderedDict:
        return OrderedDict()


class Inert:
    """The same for values whose state is no dict, such as numpy's: it takes any state and forgets it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Forget the arguments."""

    def __setstate__(self, _: Any) -> None:
        """Forget the state."""


def read_checkpoint(path: str | Path) -> DetrForObjectDetection:
    """The DETR with a ResNet-50 that a Lightning file holds; classes and queries are as many as its tensors say.

    Raises InputError for a file that is no checkpoint, that holds more than data, or whose keys are not those of this
    architecture: then it lists the missing and the unexpected ones.
    """
    weights = without_prefix(_state(path), path)
    return build_model(*with_own_backbone(_settings(weights), weights), source=path)


def without_prefix(state: Mapping[str, torch.Tensor], path: str | Path) -> dict[str, torch.Tensor]:
    """The weights named as in a DETR; what comes before its class head's name is the prefix, whatever it is."""
    prefixes = [name.removesuffix(f"{CLASS_HEAD}.weight") for name in state if name.endswith(f"{CLASS_HEAD}.weight")]
    if len(prefixes) != 1:
        raise InputError(f"{path}: not a DETR for object detection: no {CLASS_HEAD}.weight among {len(state)} tensors")
    return {name.removeprefix(prefixes[0]): tensor for name, tensor in state.items()}


def _state(path: str | Path) -> dict[str, torch.Tensor]:
    try:
        with safe_globals([(_stand_in(name), name) for name in _unknown_classes(path)]):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; fetch it first") from None
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path}: refused, since it holds more than tensors and plain data: {_reason(error)}"
        ) from None
    except TypeError as error:
        raise InputError(f"{path}: it holds values that cannot be passed over ({error}); keep its state_dict") from None
    except (OSError, EOFError, RuntimeError, ValueError) as error:
        raise InputError(f"{path}: no readable PyTorch file ({error}); remove it and fetch it again") from None
    state = checkpoint.get("state_dict") if isinstance(checkpoint, dict) else None
    if not isinstance(state, dict):
        raise InputError(f"{path}: not a PyTorch Lightning checkpoint: it has no state_dict")
    if strange := [name for name, value in state.items() if not isinstance(value, torch.Tensor)]:
        raise InputError(f"{path}: state_dict has values that are no tensors: {strange[:NAMED]}")
    return state


def _unknown_classes(path: str | Path) -> list[str]:
    """The classes and functions that a file names and that `weights_only` would refuse."""
    try:
        return get_unsafe_globals_in_checkpoint(path)
    except ValueError:  # the format of PyTorch before 1.6: then it must do without
        return []


def _reason(error: pickle.UnpicklingError) -> str:
    """What torch refuses, without its advice on how to load the file all the same."""
    text = str(error).partition("Check the documentation")[0]
    for before in ("trusted source.", "WeightsUnpickler error:"):
        text = text.rpartition(before)[2]
    return " ".join(text.split())


def _stand_in(name: str) -> type:
    return Inert if name.startswith(("numpy.", "functools.")) else Filled


def _settings(weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Those of DETR-ResNet-50, with the numbers of classes and queries of the weights."""
    classes = len(weights[f"{CLASS_HEAD}.weight"]) - 1
    names = CLASS_NAMES if classes == len(CLASS_NAMES) else {index: f"class {index}" for index in range(classes)}
    queries = {"num_queries": len(weights[QUERIES])} if QUERIES in weights else {}
    return with_classes({**DETR_RESNET_50, **queries}, names)
