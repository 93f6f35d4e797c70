"""The config is checked before any job starts: an unknown key or wrong value is an error that says what is allowed."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from bioscan1m.errors import InputError


def validate_config(config: dict[str, Any], schema_file: str | Path) -> None:
    """Check types, keys and the names that one part of the config uses of another.

    Raises InputError that lists every mistake with its key, what was found and what is allowed.
    """
    schema = yaml.safe_load(Path(schema_file).read_text(encoding="utf-8"))
    errors = sorted(Draft202012Validator(schema).iter_errors(config), key=lambda error: list(map(str, error.path)))
    mistakes = [line for error in errors for line in _explain(error)] or list(_wrong_names(config))
    if mistakes:
        raise InputError("\n".join(["The configuration has mistakes:", *(f"  - {line}" for line in mistakes)]))


def previous_releases(splits: dict[str, Any]) -> list[str]:
    """The metadata of the releases that the splits extend, newest first; none where they extend none."""
    named = splits["previous"] if splits["policy"] == "extend" else None
    return [named] if isinstance(named, str) else named or []


def _explain(error: ValidationError) -> Iterator[str]:
    key = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        for name in sorted(map(str, set(error.instance) - set(error.schema.get("properties", {})))):
            yield _unknown_key(f"{key}.{name}".lstrip("."), name, list(error.schema.get("properties", {})))
    elif error.validator == "required":
        yield f"{key or 'config'}: {error.message.replace(' property', ' key')}"
    elif error.validator == "type" and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", str(error.instance)):
        yield f"{key}: {error.message}; YAML takes a number with an exponent only with a point, as in 1.0e-3"
    else:
        described = error.schema.get("description")
        yield f"{key}: {error.message}" + (f" ({described})" if described else "")


def _unknown_key(key: str, name: str, allowed: list[str]) -> str:
    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"allowed here: {', '.join(sorted(allowed))}"
    return f"{key}: unknown key; {hint}"


def _wrong_names(config: dict[str, Any]) -> Iterator[str]:
    """What no schema can say: names that must stand elsewhere in the config and do not, shares that are no whole."""
    yield from _wrong_entry(config["entry"], config["classifier"])
    yield from _wrong_detector_names(config["detector"])
    yield from _wrong_split_names(config["splits"]["experiments"])
    yield from _wrong_previous_release(config["splits"])
    if not math.isclose(sum(config["splits"]["ratios"].values()), 1):
        yield f"splits.ratios: they sum to {sum(config['splits']['ratios'].values()):g}; they must sum to 1"
    yield from _wrong_trial_names(config["classifier"], list(config["splits"]["experiments"]))
    yield from _wrong_checkpoint_names(config["classifier"], list(config["splits"]["experiments"]))
    yield from _wrong_comparison_names(config["classifier"], list(config["splits"]["experiments"]))
    for experiment in config["inference"]["experiments"] or []:
        if experiment not in config["classifier"]["trials"]:
            yield f"inference.experiments: no experiment '{experiment}' under classifier.trials"


def _wrong_entry(entry: dict[str, Any], classifier: dict[str, Any]) -> Iterator[str]:
    start = entry["from"]
    if start == "originals":
        return
    if not entry[start]:
        yield f"entry.{start}: no zip to start from; name one, or start from originals"
    if (package := classifier["package"]) != "cropped_256":
        yield f"classifier.package: '{package}' needs photographs, but entry.from is {start}: take cropped_256"
    if classifier.get("original_vs_cropped", {"enabled": False})["enabled"]:
        yield f"classifier.original_vs_cropped.enabled: it needs photographs, but entry.from is {start}"


def _wrong_detector_names(detector: dict[str, Any]) -> Iterator[str]:
    detectors = [*detector["checkpoints"], *detector["training_sets"]]
    for name in sorted(set(detector["checkpoints"]) & set(detector["training_sets"])):
        yield f"detector.checkpoints.{name}: a training set has this name too; rename the checkpoint"
    if detector["use"] not in detectors:
        yield f"detector.use: '{detector['use']}' is neither a checkpoint nor a training set; there are: {detectors}"
    for key in ("training_sets", "validation_sets"):
        for image_set in (part for name in detector[key] for part in name.split("+")):
            if image_set not in detector["image_sets"]:
                yield f"detector.{key}: no image set '{image_set}'; there are: {list(detector['image_sets'])}"
    monitor = detector["fine_tuning"]["monitor"]
    if monitor is not None and monitor not in detector["image_sets"]:
        yield f"detector.fine_tuning.monitor: no image set '{monitor}'; there are: {list(detector['image_sets'])}"


def _wrong_split_names(experiments: dict[str, Any]) -> Iterator[str]:
    columns = {name for task in experiments.values() for name in (task.get("label"), *task.get("where", {}))}
    for name, experiment in experiments.items():
        if name in columns:
            yield f"splits.experiments.{name}: a column of the metadata has this name; choose another, as by_{name}"
        for key in sorted({"parent", "roles_from"} & set(experiment)):
            if experiment[key] not in experiments:
                yield f"splits.experiments.{name}.{key}: no experiment '{experiment[key]}', only: {list(experiments)}"
            elif _comes_back(name, experiments):
                yield f"splits.experiments.{name}.{key}: '{experiment[key]}' depends on '{name}' itself"


def _wrong_previous_release(splits: dict[str, Any]) -> Iterator[str]:
    """Results are written by the run itself, so that a release there would extend itself."""
    if splits["policy"] == "extend" and splits["previous"] is None:
        yield "splits.previous: the policy extend needs the metadata TSV of the release that it builds on"
    for release in previous_releases(splits):
        if Path(release).resolve().is_relative_to(Path("results").resolve()):
            yield f"splits.previous: '{release}' lies under results/; copy the release to another place"


def _comes_back(name: str, experiments: dict[str, Any]) -> bool:
    """Whether the experiments that `name` is made from, one from the other, include itself."""
    seen, at = set(), name
    while at in experiments and at not in seen:
        seen.add(at)
        at = experiments[at].get("parent") or experiments[at].get("roles_from")
    return at == name


def _trials(classifier: dict[str, Any]) -> list[str]:
    return [f"{backbone}_{loss}" for backbone in classifier["backbones"] for loss in classifier["losses"]]


def _wrong_checkpoint_names(classifier: dict[str, Any], experiments: list[str]) -> Iterator[str]:
    for name, entry in classifier["checkpoints"].items():
        key = f"classifier.checkpoints.{name}"
        if entry["experiment"] not in experiments:
            yield f"{key}.experiment: no experiment '{entry['experiment']}' under splits.experiments: {experiments}"
        if entry["backbone"] not in classifier["backbones"]:
            yield f"{key}.backbone: no backbone '{entry['backbone']}'; there are: {list(classifier['backbones'])}"


def _wrong_comparison_names(classifier: dict[str, Any], experiments: list[str]) -> Iterator[str]:
    """The comparison may be absent; one that is not enabled may name experiments of another run."""
    compared = classifier.get("original_vs_cropped", {"enabled": False})
    if not compared["enabled"]:
        return
    key = "classifier.original_vs_cropped"
    if compared["trial"] not in _trials(classifier):
        yield f"{key}.trial: no trial '{compared['trial']}'; backbones and losses allow: {_trials(classifier)}"
    for experiment in sorted(set(compared["experiments"]) - set(experiments)):
        yield f"{key}.experiments.{experiment}: no such experiment under splits.experiments: {experiments}"


def _wrong_trial_names(classifier: dict[str, Any], experiments: list[str]) -> Iterator[str]:
    trials = _trials(classifier)
    for trial in sorted({trial for trial in trials if trials.count(trial) > 1}):
        yield f"classifier: two pairs of a backbone and a loss would both be called '{trial}'; rename one of them"
    for key in ("trials", "seeds", "overrides"):
        for experiment in classifier[key]:
            if experiment not in experiments:
                yield f"classifier.{key}.{experiment}: no such experiment under splits.experiments: {experiments}"
    for experiment, names in classifier["trials"].items():
        for name in sorted(set(names) - set(trials)):
            yield f"classifier.trials.{experiment}: no trial '{name}'; backbones and losses allow: {trials}"
        if experiment not in classifier["seeds"]:
            yield f"classifier.seeds: no seeds for the experiment '{experiment}' of classifier.trials"
