"""The config is checked before any job starts: an unknown key or wrong value is an error with what is allowed."""

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

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.sources import refuse_secrets, without_secrets_within
from bioscan1m.metadata.split_settings import SplitExperiments, Splits, SplitTask
from bioscan1m.plan.names import wrong_names
from bioscan1m.plan.new_photographs import wrong_parts
from bioscan1m.plan.recorded_parameters import FEATURES_DEPEND_ON

FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # where PyYAML was built with it

# What is to be written where a key has nothing behind it, by the type of the schema.
IN_WORDS = {
    **{"string": "a text", "number": "a number", "integer": "a whole number", "boolean": "true or false"},
    **{"array": "a list, [] if it is empty", "object": "keys below it, {} if there are none"},
}


def validate_config(config: dict[str, Any], schema_file: str | Path) -> None:
    """Check types, keys and the names that one part of the config uses of another.

    Raises InputError that lists every mistake with its key, what was found and what is allowed.
    """
    schema = yaml.load(Path(schema_file).read_text(encoding="utf-8"), FAST_LOADER)  # 0.1 s of each plan by the other
    errors = sorted(Draft202012Validator(schema).iter_errors(config), key=lambda error: list(map(str, error.path)))
    mistakes = [line for error in errors for line in _explain(error)] or [*_secrets(config), *_wrong_names(config)]
    if mistakes:
        lines = [f"  - {without_secrets_within(line)}" for line in mistakes]
        raise InputError("\n".join(["The configuration has mistakes:", *lines]))


def previous_releases(splits: dict[str, Any]) -> list[str]:
    """The metadata of the releases that the splits extend, newest first; none where they extend none."""
    named = splits["previous"] if splits["policy"] == "extend" else None
    return [named] if isinstance(named, str) else named or []


def _explain(error: ValidationError) -> Iterator[str]:
    key = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        for name in sorted(map(str, set(error.instance) - set(error.schema.get("properties", {})))):
            yield _unknown_key(f"{key}.{name}".lstrip("."), name, list(error.schema.get("properties", {})))
    elif error.validator == "oneOf" and (nearest := _of_the_form_meant(error)):
        for inner in nearest:
            yield from _explain(inner)
    elif error.validator == "type" and _is_left_empty(error):
        yield f"{key}: has no value; write {IN_WORDS[error.validator_value]}"
    elif (
        error.validator == "type" and error.validator_value == "string" and not isinstance(error.instance, dict | list)
    ):
        yield f"{key}: {error.message}; YAML takes it for a number, a date or a truth value unless it stands in quotes"
    elif error.validator == "required":
        (name,) = (name for name in error.schema["required"] if error.message.startswith(repr(name)))
        meaning = error.schema.get("properties", {}).get(name, {}).get("description")
        yield f"{key or 'config'}: {error.message.replace(' property', ' key')}" + (f" ({meaning})" if meaning else "")
    elif error.validator == "type" and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", str(error.instance)):
        yield f"{key}: {error.message}; YAML takes a number with an exponent only with a point, as in 1.0e-3"
    else:
        described = error.schema.get("description")
        yield f"{key}: {error.message}" + (f" ({described})" if described else "")


def _is_left_empty(error: ValidationError) -> bool:
    """Whether a key has nothing behind it; an entry of a list has, such as a null that is meant as a text."""
    return error.instance is None and isinstance(error.path[-1], str) and str(error.validator_value) in IN_WORDS


def _of_the_form_meant(error: ValidationError) -> list[ValidationError]:
    """Of a value that may have several forms, the mistakes in the one form of its type; none where it is not clear."""
    forms: dict[object, list[ValidationError]] = {}
    for inner in error.context or []:
        forms.setdefault(inner.schema_path[0], []).append(inner)
    of_another = {
        form
        for form, mistakes in forms.items()
        if any(not inner.path and inner.validator in ("type", "enum") for inner in mistakes)
    }
    meant = [mistakes for form, mistakes in forms.items() if form not in of_another]
    return meant[0] if len(meant) == 1 else []


def _unknown_key(key: str, name: str, allowed: list[str]) -> str:
    close = difflib.get_close_matches(name, allowed, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"allowed here: {', '.join(sorted(allowed))}"
    return f"{key}: unknown key; {hint}"


def _secrets(part: Any, key: str = "") -> Iterator[str]:
    """The addresses, anywhere in the config, that have a login or a token in them."""
    if isinstance(part, dict):
        for name, value in part.items():
            yield from _secrets(value, f"{key}.{name}".lstrip("."))
    elif isinstance(part, str) and (key.endswith(".source") or key.startswith("inference.photographs.")):
        try:
            refuse_secrets(part)
        except InputError as error:
            yield f"{key}: {error}"


def _wrong_names(config: dict[str, Any]) -> Iterator[str]:
    """What no schema can check: names that must stand elsewhere in the config and do not, shares that are no whole."""
    yield from wrong_names(config)
    yield from _wrong_entry(config["entry"], config["classifier"])
    yield from _wrong_detector_names(config["detector"])
    yield from _names_mapped_twice(config.get("labels", {}).get("map", {}))
    splits = Splits.from_config(config["splits"])
    experiments = list(splits.experiments)
    yield from _wrong_split_names(splits.experiments)
    yield from _wrong_previous_release(config["splits"])
    if not math.isclose(total := sum(splits.ratios.values()), 1):
        yield f"splits.ratios: they sum to {total:g}; they must sum to 1"
    yield from _wrong_trial_names(config["classifier"], experiments)
    yield from _wrong_checkpoint_names(config["classifier"], experiments)
    yield from _wrong_comparison_names(config["classifier"], experiments)
    yield from _wrong_normalisations(config["classifier"]["backbones"])
    yield from _wrong_patience(config["classifier"])
    yield from _wrong_freezes(config["classifier"])
    yield from wrong_parts(config["inference"]["photographs"])
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


def _names_mapped_twice(labels: dict[str, dict[str, str]]) -> Iterator[str]:
    """All names of a column are read as others at the same time, so that one which becomes a third is a mistake."""
    for column, names in labels.items():
        for name, other in names.items():
            if other == name:
                yield f"labels.map.{column}: '{name}' is read as itself; remove it"
            elif other in names:
                yield f"labels.map.{column}: '{name}' becomes '{other}', which is mapped too; name the last one"


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


def _wrong_split_names(experiments: SplitExperiments) -> Iterator[str]:
    columns = {column for one in experiments.values() if isinstance(one, SplitTask) for column in one.columns}
    for name, experiment in experiments.items():
        if name in columns:
            yield f"splits.experiments.{name}: a column of the metadata has this name; choose another, as by_{name}"
        source = experiment.builds_on
        key = f"splits.experiments.{name}.{'roles_from' if isinstance(experiment, SplitTask) else 'parent'}"
        if source is not None and source not in experiments:
            yield f"{key}: no experiment '{source}', only: {list(experiments)}"
        elif source is not None and _comes_back(name, experiments):
            yield f"{key}: '{source}' depends on '{name}' itself"


def _wrong_previous_release(splits: dict[str, Any]) -> Iterator[str]:
    """Results are written by the run itself, so that a release there would extend itself."""
    if splits["policy"] == "extend" and splits["previous"] is None:
        yield "splits.previous: the policy extend needs the metadata TSV of the release that it builds on"
    for release in previous_releases(splits):
        if Path(release).resolve().is_relative_to(Path("results").resolve()):
            yield f"splits.previous: '{release}' lies under results/; copy the release to another place"


def _comes_back(name: str, experiments: SplitExperiments) -> bool:
    """Whether the experiments that `name` builds on, one on the other, include itself."""
    seen: set[str] = set()
    at: str | None = name
    while at in experiments and at not in seen:
        seen.add(at)
        at = experiments[at].builds_on
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


def _wrong_normalisations(backbones: dict[str, Any]) -> Iterator[str]:
    for name, backbone in backbones.items():
        if backbone["weights"] is None and backbone["normalisation"] == "weights":
            yield (
                f"classifier.backbones.{name}.normalisation: no weights are named that it could be taken from; choose "
                "dataset, unit or numbers"
            )


def _wrong_patience(classifier: dict[str, Any]) -> Iterator[str]:
    """A cosine ends with the last epoch: a training that stops before has not seen its low rates."""
    training, overrides = classifier["training"], classifier["overrides"]
    compared = classifier.get("original_vs_cropped", {"enabled": False})
    own = compared["experiments"] if compared["enabled"] else {}
    places = {
        **({"training": training} if set(classifier["trials"]) - set(overrides) else {}),
        **{f"overrides.{name}": training | other for name, other in overrides.items()},
        **{f"original_vs_cropped.experiments.{name}": training | overrides.get(name, {}) | own[name] for name in own},
    }
    for place, settings in places.items():
        patience, epochs = settings["patience"], settings["epochs"]
        if settings["learning_rate_decay"] == "cosine" and patience < epochs:
            yield (
                f"classifier.{place}: with a cosine, a patience of {patience} could end the {epochs} epochs before the "
                f"learning rate has fallen to zero; set patience to {epochs}, or epochs to {patience} or fewer"
            )


def _wrong_freezes(classifier: dict[str, Any]) -> Iterator[str]:
    """Features are computed once for all experiments: by trained networks, whose input is the same for all of them."""
    settings = {name: classifier["training"] | classifier["overrides"].get(name, {}) for name in classifier["trials"]}
    frozen = {name: training for name, training in settings.items() if training["freeze"] == "trunk"}
    for key in FEATURES_DEPEND_ON:
        if len(values := {training[key] for training in frozen.values()}) > 1:
            yield (
                f"classifier.overrides: experiments with freeze: trunk share their features, but differ in {key} "
                f"({', '.join(sorted(map(str, values)))}); give all of them the same"
            )
    trials = {trial for name in frozen for trial in classifier["trials"][name]}
    for name, backbone in classifier["backbones"].items():
        if not trials & {f"{name}_{loss}" for loss in classifier["losses"]}:
            continue
        if backbone["weights"] is None:
            yield f"classifier.backbones.{name}.weights: freeze: trunk needs pretrained weights, but there are none"
        elif backbone["normalisation"] == "dataset":
            yield (
                f"classifier.backbones.{name}.normalisation: 'dataset' differs between experiments, but with freeze: "
                "trunk they share their features; choose weights, unit or numbers"
            )
    compared = classifier.get("original_vs_cropped", {"enabled": False})
    for name, own in compared["experiments"].items() if compared["enabled"] else ():
        if (classifier["training"] | classifier["overrides"].get(name, {}) | own)["freeze"] == "trunk":
            yield (f"classifier.original_vs_cropped.experiments.{name}: whole networks are compared; add freeze: none")
