"""Image classifiers by name from torchvision, transformers or timm, new or from pretrained weights with a new head.

Each library is imported only where one of its models is built: importing transformers takes seconds. Weights are read
from a local folder, because compute nodes have no internet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bioscan1m.experiments.settings import Backbone
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.pretrained import CONFIG, MODEL
from bioscan1m.networks.timm_vit import from_timm, timm_settings
from bioscan1m.networks.weights import read_weights

# Keys of a config.json of transformers that describe the labels or the file, not the network.
NOT_ARCHITECTURE = {"architectures", "dtype", "id2label", "label2id", "problem_type", "transformers_version"}

# Parts of pretrained weights that no classifier here has need of: the pooler of transformers, and the auxiliary heads
# of torchvision's googlenet and inception_v3, which are built with `aux_logits: false`.
PASSED_OVER = {"pooler", "aux1", "aux2", "AuxLogits"}


def build_classifier(backbone: Backbone, classes: int, image_size: int) -> nn.Module:
    """Build a classifier with new weights, drawn from torch's global generator.

    Args:
        backbone: the network.
        classes: the number of its logits.
        image_size: height and width of its input in pixels.

    Returns:
        The classifier, on the CPU.

    Raises:
        InputError: the name is unknown, or the model does not take the settings or the image size.
    """
    if backbone.library == "transformers":
        model = _build_transformers(backbone, classes, image_size)
    else:
        model = BUILD[backbone.library](backbone, classes)
    _check_output(model, backbone.name, classes, image_size)
    return model


def start_classifier(
    backbone: Backbone, classes: int, image_size: int, weights: str | Path | None
) -> tuple[nn.Module, dict[str, object]]:
    """Build the classifier with which a training starts.

    Args:
        backbone: the network.
        classes: the number of its logits.
        image_size: height and width of its input in pixels.
        weights: a folder of pretrained weights, or None to start from nothing.

    Returns:
        The classifier and its description.

    Raises:
        InputError: as `build_classifier`, or the weights cannot be read or do not fit.
    """
    if weights is None:
        model = build_classifier(backbone, classes, image_size)
    else:
        backbone = with_published_settings(backbone, weights)
        model = build_classifier(backbone, classes, image_size)
        load_backbone_weights(model, weights)
    return model, describe_model(backbone, model)


def class_logits(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Logits (N, classes) of images (N, 3, height, width), which transformers wraps in an object."""
    output = model(images)
    return getattr(output, "logits", output)


def with_published_settings(backbone: Backbone, folder: str | Path) -> Backbone:
    """The backbone with all settings that shape its network, so that it can be built again without the folder.

    Pretrained weights of transformers come with their architecture in `folder/config.json`, those of timm with its name
    there; the backbone's own settings win. Networks of torchvision and timm need no more than the name. Raises
    InputError where the file cannot be read.
    """
    if backbone.library != "transformers":
        return backbone
    published = _published_config(folder)
    known = _transformers_settings(_transformers_class(backbone.name))
    settings = timm_settings(published, folder) or published
    architecture = {key: value for key, value in settings.items() if key in known}
    return replace(backbone, settings={**architecture, **backbone.settings})


def _published_config(folder: str | Path) -> dict[str, Any]:
    file = Path(folder) / CONFIG
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{file}: no readable configuration of pretrained weights ({error}); fetch it again") from None


def load_backbone_weights(model: nn.Module, folder: str | Path) -> None:
    """Load the weights of `folder/model.safetensors` into the model, all but those of the head, which stays new.

    Raises InputError that names what is missing, unknown or of another shape.
    """
    file = Path(folder) / MODEL
    published = _transformers_weights(model, file) if hasattr(model, "config") else read_weights(file)
    own, head = model.state_dict(), head_weights(model)
    # Batch counters are absent from old files. A pooler is the head of another task, and auxiliary heads only train.
    expected = {name for name in own if name not in head and not name.endswith("num_batches_tracked")}
    unknown = {name for name in published if name not in own and not PASSED_OVER & set(name.split("."))}
    _check_fit(file, own=own, found=published, expected=expected, unknown=unknown)
    own.update((name, published[name]) for name in expected)  # it also holds the versions of the layers
    model.load_state_dict(own)


def load_trained_weights(model: nn.Module, file: str | Path) -> None:
    """Load all weights of a classifier that was trained here. Raises InputError that names what does not fit."""
    load_all_weights(model, read_weights(file), file)


def load_all_weights(model: nn.Module, weights: Mapping[str, torch.Tensor], source: str | Path) -> None:
    """Load weights that must be all of the model's.

    Args:
        model: the classifier.
        weights: tensors by name.
        source: the file in messages.

    Raises:
        InputError: names the source, and the weights that do not fit.
    """
    own = model.state_dict()
    _check_fit(source, own=own, found=weights, expected=set(own), unknown=set(weights) - set(own))
    own.update(weights)
    model.load_state_dict(own)


def head_layer(model: nn.Module) -> nn.Module:
    """The last linear or convolutional layer, which makes the logits out of the embedding of an image."""
    return [layer for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]


def head_name(model: nn.Module) -> str:
    """The last layer's name in the model."""
    head = head_layer(model)
    (name,) = (name for name, layer in model.named_modules() if layer is head)
    return name


def head_weights(model: nn.Module) -> set[str]:
    """Names of the weights of the last layer."""
    return {f"{head_name(model)}.{kind}" for kind in ("weight", "bias")}


def describe_model(backbone: Backbone, model: nn.Module) -> dict[str, object]:
    """The true model behind a backbone's name in the config: library, name, settings and numbers of parameters."""
    sizes = {"parameters": _count_parameters(model), "head_parameters": _count_parameters(head_layer(model))}
    return {**vars(backbone), **sizes}


def _count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _build_torchvision(backbone: Backbone, classes: int) -> nn.Module:
    from torchvision.models import get_model

    try:
        return get_model(backbone.name, weights=None, num_classes=classes, **backbone.settings)
    except Exception as error:  # torchvision raises nearly anything on wrong settings
        raise _cannot_build(backbone, error) from None


def _build_timm(backbone: Backbone, classes: int) -> nn.Module:
    try:
        from timm import create_model
    except ImportError:
        raise InputError(
            f"classifier.backbones: {backbone.name} is of the library timm, which is not installed; install it (pip "
            "install timm), or take a backbone of torchvision or transformers"
        ) from None
    try:
        return create_model(backbone.name, pretrained=False, num_classes=classes, **backbone.settings)
    except Exception as error:  # timm raises nearly anything on wrong names and settings
        raise _cannot_build(backbone, error) from None


BUILD = {"torchvision": _build_torchvision, "timm": _build_timm}


def _build_transformers(backbone: Backbone, classes: int, image_size: int) -> nn.Module:
    model_class, settings = _transformers_class(backbone.name), backbone.settings
    known = _transformers_settings(model_class)
    if unknown := sorted(set(settings) - known):
        raise InputError(f"classifier.backbones: {backbone.name} has no settings {unknown}; there are: {sorted(known)}")
    default = getattr(model_class.config_class(), "image_size", None)  # a number, two of them, or none at all
    sizes = {} if default is None else {"image_size": image_size if isinstance(default, int) else [image_size] * 2}
    try:
        return model_class(model_class.config_class(**{**sizes, **settings, "num_labels": classes}))
    except Exception as error:  # transformers raises nearly anything on wrong settings
        raise _cannot_build(backbone, error) from None


def _cannot_build(backbone: Backbone, error: Exception) -> InputError:
    return InputError(
        f"classifier.backbones: {backbone.library} cannot build '{backbone.name}' with {backbone.settings}: {error}"
    )


def _transformers_class(name: str) -> Any:
    """The class of transformers by its name. Raises InputError where it is no image classifier."""
    import transformers

    model_class = getattr(transformers, name, None) if name.endswith("ForImageClassification") else None
    if getattr(model_class, "config_class", None) is None:
        raise InputError(
            f"classifier.backbones: transformers has no image classifier '{name}'; a name is, for example, "
            "ViTForImageClassification"
        )
    return model_class


def _transformers_settings(model_class: Any) -> set[str]:
    """The settings that shape a network of the class; transformers itself would take any misspelt one in silence."""
    return {key for key in vars(model_class.config_class()) if not key.startswith("_")} - NOT_ARCHITECTURE


def _check_output(model: nn.Module, name: str, classes: int, image_size: int) -> None:
    """Try one black image: networks differ in the sizes that they take, and raise only when they run."""
    model.eval()
    try:
        with torch.no_grad():
            shape = tuple(class_logits(model, torch.zeros(1, 3, image_size, image_size)).shape)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise InputError(
            f"classifier.training.crop: {name} does not take images of {image_size} pixels: {error}"
        ) from None
    if shape != (1, classes):
        raise InputError(f"classifier.backbones: {name} gives an output of shape {shape}, not (1, {classes})")


def _transformers_weights(model: Any, file: Path) -> dict[str, torch.Tensor]:
    """The weights of a file under the names of the installed transformers, which renames those of older files.

    Those of timm's ViT are renamed too.

    Weights that the model does not have, or has in another shape, come without values, for `_check_fit` to name them.
    """
    from transformers.utils import logging as transformers_logging

    weights = read_weights(file)  # its error names what is wrong with a damaged file
    if timm_settings(_published_config(file.parent), file.parent):
        return from_timm(weights)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    loaded, report = type(model).from_pretrained(
        file.parent,
        config=model.config,
        local_files_only=True,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    weights = {name: value for name, value in loaded.state_dict().items() if name not in report["missing_keys"]}
    misshapen = {name: torch.empty(shape, device="meta") for name, shape, _ in report["mismatched_keys"]}
    return weights | misshapen | {name: torch.empty(0, device="meta") for name in report["unexpected_keys"]}


def _check_fit(
    file: str | Path,
    own: dict[str, torch.Tensor],
    found: Mapping[str, torch.Tensor],
    expected: set[str],
    unknown: set[str],
) -> None:
    """Raise InputError that names the weights of a file that do not fit the model's own."""
    missing = sorted(expected - set(found))
    misshapen = sorted(name for name in expected & set(found) if found[name].shape != own[name].shape)
    wrong = {"missing": missing, "of another shape": misshapen, "unknown": sorted(unknown)}
    mistakes = [f"{len(names)} {what} ({', '.join(names[:3])} …)" for what, names in wrong.items() if names]
    if mistakes:
        raise InputError(
            f"{file}: the weights are not those of this model: {'; '.join(mistakes)}. Check the name and the settings "
            "of the backbone in the config against where the weights come from."
        )
