"""Whether photographs were prepared as the images that the classifiers learned from: found, cropped and resized alike.

A classifier that learned from crops with a wide margin is at a loss with narrow ones, and gives no sign of it. The
records of the jobs name the settings and the detector. The normalisation of the input needs no check: it comes from
the file of the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bioscan1m.experiments.trained_classifier import TrainedClassifier
from bioscan1m.foundation.errors import InputError

IMAGES = "images"
SETTINGS = (IMAGES, "detection", "crop", "resize")  # parameters that decide the pixels
DETECTOR = ("model.safetensors", "config.json", "preprocessor.json")  # files
KEY = "inference.same_preparation"


def require_same_preparation(
    run: Sequence[str | Path],
    photographs: Sequence[str | Path],
    digests: Sequence[str | Path],
    classifiers: Sequence[TrainedClassifier],
) -> None:
    """Check photographs and classifiers against the images of the run.

    Args:
        run: the records of the jobs that prepared the run's images, up to the digests of the experiments' data.
        photographs: the records of the jobs that prepared the photographs.
        digests: those of the experiments' data.
        classifiers: those that are to look at them.

    Raises:
        InputError: the photographs were prepared with other settings or by another detector; a file was made anew and
            what follows from it was not; or a classifier was trained on other images than the run has now.
    """
    jobs = [_read(path) for path in run]
    faults = [*_other_settings(jobs, [_read(path) for path in photographs]), *_outdated(jobs)]
    faults += _trained_on_others([_read(path) for path in digests], classifiers)
    if faults:
        raise InputError(
            f"the classifiers learned from images that were prepared in another way: {'; '.join(faults)}. Bring the "
            f"run up to date (snakemake experiments --directory {Path.cwd()} --profile profiles/demo), put the config "
            f"back, or set {KEY}: false to predict nevertheless"
        )


def _other_settings(run: Sequence[dict[str, Any]], photographs: Sequence[dict[str, Any]]) -> list[str]:
    """What differs between settings of the run's jobs and those of the photographs."""
    pairs = [(_settings(own), _settings(other)) for own in photographs for other in run]
    faults = [
        f"{group}.{key} is {json.dumps(own[group].get(key))} now, and was {json.dumps(other[group].get(key))}"
        for own, other in pairs
        for group in sorted(own.keys() & other.keys())
        for key in sorted(own[group].keys() | other[group].keys())
        if own[group].get(key) != other[group].get(key)
    ]
    return list(dict.fromkeys(faults))


def _settings(record: Mapping[str, Any]) -> dict[str, dict[str, object]]:
    """All that decides the pixels that a job makes, by group; what is not stated of images is as if it were null."""
    detector = {Path(file["path"]).name: file["sha256"] for file in record["inputs"]}
    files = {name: digest for name, digest in detector.items() if name in DETECTOR}
    stated = {name: record["parameters"][name] for name in SETTINGS if name in record["parameters"]}
    return ({IMAGES: {}} if stated else {}) | stated | ({"detector": files} if files else {})


def _outdated(run: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Files that a job of the run made anew after another had read them."""
    jobs = list(run)
    made = {file["path"]: file["sha256"] for record in jobs for file in record["outputs"]}
    for record in jobs:
        for file in record["inputs"]:
            if made.get(file["path"], file["sha256"]) != file["sha256"]:
                yield f"{file['path']} is newer than what rule {record['rule']} made of it"


def _trained_on_others(digests: Iterable[dict[str, Any]], classifiers: Iterable[TrainedClassifier]) -> Iterator[str]:
    """Classifiers whose data had another digest than the run's has now."""
    current = {one["experiment"]: one["sha256"] for one in digests}
    for classifier in classifiers:
        if classifier.recipe["data"] != current[classifier.experiment]:
            yield f"the images of {classifier.experiment} are others than those that its classifier was trained on"


def _read(path: str | Path) -> dict[str, Any]:
    return json.loads(Path(path).read_text(encoding="utf-8"))
