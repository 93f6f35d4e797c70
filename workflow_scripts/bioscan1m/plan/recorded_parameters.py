"""Parameters of rules in the form of version 0.1.0 where they mean the same, so that an update repeats no job."""

from __future__ import annotations

from typing import Any

# What there was no key for.
BEFORE: dict[str, dict[str, Any]] = {
    "crop": {"rounding": "outward"},
    "splits": {"closed_subsets": False, "group": None, "duplicates": None},
}

# Settings of a training that change the features of its images.
FEATURES_DEPEND_ON = ("short_side", "crop", "precision")


def recorded_training(training: dict[str, Any]) -> dict[str, Any]:
    """The settings of a training; without `freeze` where nothing is frozen, as before there was the key."""
    return {key: value for key, value in training.items() if (key, value) != ("freeze", "none")}


def recorded_parameters(config: dict[str, Any], part: str) -> dict[str, Any]:
    """A part of the config, without the keys of BEFORE that have these values."""
    before = BEFORE[part]
    return {key: value for key, value in config[part].items() if key not in before or value != before[key]}


def recorded_resize(resize: dict[str, Any]) -> dict[str, Any]:
    """The config's `resize`; where it is bilinear with a stated quality, by the names that it had.

    By these names the images are those of version 0.1.0, also of a chunk that is added.
    """
    side, resampling, quality = resize["side"], resize["filter"], resize["jpeg_quality"]
    if (side, resampling) == ("shorter", "bilinear") and quality != "keep":
        return {"short_side": resize["pixels"], "jpeg_quality": quality}
    return resize
