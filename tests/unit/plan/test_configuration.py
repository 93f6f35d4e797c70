"""A mistake in the config is found before any job starts, and the message says where it is and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from bioscan1m.foundation.errors import InputError
from bioscan1m.plan.configuration import validate_config

REPOSITORY = Path(__file__).parents[3]
SCHEMA_FILE = REPOSITORY / "rules/schemas/config.schema.yaml"
SCHEMA = yaml.safe_load(SCHEMA_FILE.read_text(encoding="utf-8"))
SHIPPED = [REPOSITORY / "config.yaml", REPOSITORY / "tests/demo/config.yaml"]


def full_config() -> dict[str, Any]:
    """The shipped config of the full run; read anew each time, for its YAML anchors share lists."""
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))


def with_value(key: str, value: object) -> dict[str, Any]:
    """The full config with one value, named by its keys joined with dots, set to another."""
    config = full_config()
    *sections, last = key.split(".")
    section = config
    for name in sections:
        section = section[name]
    section[last] = value
    return config


def mistakes(config: dict[str, Any]) -> list[str]:
    """The lines of the message, one per mistake."""
    with pytest.raises(InputError) as raised:
        validate_config(config, SCHEMA_FILE)
    first, *lines = str(raised.value).split("\n")
    assert first == "The configuration has mistakes:"
    return [line.removeprefix("  - ") for line in lines]


@pytest.mark.parametrize("path", SHIPPED, ids=["full", "demo"])
def test_shipped_configs_are_valid(path):
    validate_config(yaml.safe_load(path.read_text(encoding="utf-8")), SCHEMA_FILE)


def test_the_detector_without_a_gpu_is_one_whole_fragment_that_finds_boxes_at_the_size_it_was_trained_at():
    section = (REPOSITORY / "docs/detector.md").read_text(encoding="utf-8").split("## Without a GPU")[1]
    (block,) = re.findall(r"```yaml\n(.*?)```", section.split("\n## ")[0], flags=re.DOTALL)
    fragment, config = yaml.safe_load(block)["detector"], full_config()
    for part in ("fine_tuning", "detection"):
        assert fragment[part].keys() == config["detector"][part].keys()
    validate_config(config | {"detector": config["detector"] | fragment}, SCHEMA_FILE)
    assert fragment["detection"]["image_size"] is None
    assert (REPOSITORY / "runs/NAME" / fragment["fine_tuning"]["base"]).resolve().is_dir()


def test_both_shipped_configs_have_the_same_keys():
    full, demo = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in SHIPPED)
    assert list(full) == list(demo)
    assert all(list(full["classifier"][part]) == list(demo["classifier"][part]) for part in ("training", "evaluation"))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("detecter", "detecter: unknown key; did you mean 'detector'?"),
        ("crop.ration", "crop.ration: unknown key; did you mean 'ratio'?"),
        (
            "crop.zzz",
            "crop.zzz: unknown key; allowed here: aspect, extension, jpeg_quality, pad_value, ratio, rotate, rounding",
        ),
        ("classifier.training.learningrate", "did you mean 'learning_rate'?"),
        ("splits.experiments.large_insect_order.lable", "large_insect_order.lable: unknown key; did you mean 'label'?"),
        ("splits.experiments.small_insect_order.label", "small_insect_order.label: unknown key"),
        ("classifier.losses.focal.alpha", "classifier.losses.focal.alpha: unknown key; allowed here: gamma"),
    ],
)
def test_an_unknown_key_comes_with_what_it_could_be(key, message):
    (mistake,) = mistakes(with_value(key, 1))
    assert mistake.startswith(key) and message in mistake


def test_keys_that_yaml_does_not_read_as_text_are_named_too():
    config = full_config()
    config["crop"][True] = 1  # `yes: 1` or `on: 1`
    config["crop"]["zzz"] = 1
    assert [mistake.split(":")[0] for mistake in mistakes(config)] == ["crop.True", "crop.zzz"]


def test_a_missing_key_is_named():
    config = full_config()
    del config["crop"]["ratio"], config["chunks"]
    chunks, ratio = sorted(mistakes(config))
    assert chunks.startswith("config: 'chunks' is a required key (the manifest, a TSV")
    assert ratio.startswith("crop: 'ratio' is a required key (by how much the tight box grows")


def test_a_config_without_normalisation_is_told_the_choices_and_the_one_of_older_models():
    config = full_config()
    del config["classifier"]["backbones"]["resnet50"]["normalisation"]
    (mistake,) = mistakes(config)
    assert mistake.startswith("classifier.backbones.resnet50: 'normalisation' is a required key")
    for part in ("unit", "weights", "dataset", "{mean: [0.7251, 0.7289, 0.7296], std: [0.1265, 0.1430, 0.1610]}"):
        assert part in mistake


@pytest.mark.parametrize(
    "value",
    ["imagenet", None, 0.5, [0.5] * 3],
)
def test_another_normalisation_is_an_error_with_the_choices(value):
    (mistake,) = mistakes(with_value("classifier.backbones.resnet50.normalisation", value))
    assert (
        mistake.startswith("classifier.backbones.resnet50.normalisation: ")
        and "measured on the training images" in mistake
    )


HALVES = [0.5] * 3
SHARE = "(a share of the largest value: divide numbers from 0 to 255 by 255)"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"mean": HALVES}, "normalisation: 'std' is a required key (standard deviation)"),
        ({"mean": [0.5] * 2, "std": HALVES}, "normalisation.mean: [0.5, 0.5] is too short"),
        ({"mean": HALVES, "std": 0.5}, "normalisation.std: 0.5 is not of type 'array'"),
        ({"mean": HALVES, "std": HALVES, "scale": 1}, "normalisation.scale: unknown key"),
        ({"mean": HALVES, "std": [0.5, 0, 0.5]}, f"std.1: 0 is less than or equal to the minimum of 0 {SHARE}"),
        ({"mean": [124, 0.5, 0.5], "std": HALVES}, f"mean.0: 124 is greater than the maximum of 1 {SHARE}"),
        ({"mean": HALVES, "std": [0.5, 0.5, 58.4]}, f"std.2: 58.4 is greater than the maximum of 1 {SHARE}"),
        ({"mean": [-0.1, 0.5, 0.5], "std": HALVES}, f"mean.0: -0.1 is less than the minimum of 0 {SHARE}"),
    ],
)
def test_numbers_of_a_normalisation_are_shares_of_the_largest_value(value, message):
    (mistake,) = mistakes(with_value("classifier.backbones.resnet50.normalisation", value))
    assert mistake.startswith("classifier.backbones.resnet50.normalisation") and message in mistake


def test_numbers_normalise_too():
    numbers = {"mean": [0, 0.5, 1], "std": [0.5, 0.01, 1]}
    validate_config(with_value("classifier.backbones.resnet50.normalisation", numbers), SCHEMA_FILE)


def test_no_weights_cannot_state_a_normalisation():
    config = with_value("classifier.backbones.resnet50.weights", None)
    config["classifier"]["backbones"]["resnet50"]["normalisation"] = "weights"
    (mistake,) = mistakes(config)
    assert (
        mistake.startswith("classifier.backbones.resnet50.normalisation: no weights are named") and "dataset" in mistake
    )


@pytest.mark.parametrize(
    ("training", "override", "refused"),
    [
        ({"patience": 10}, {"patience": 10}, ["training", "overrides.large_insect_order"]),
        ({}, {"patience": 10}, ["overrides.large_insect_order"]),
        ({}, {"patience": 10, "epochs": 11}, ["overrides.large_insect_order"]),
        ({}, {"epochs": 101}, ["overrides.large_insect_order"]),
    ],
)
def test_a_cosine_is_not_cut_by_patience(training, override, refused):
    config = full_config()
    config["classifier"]["training"] |= {"learning_rate_decay": "cosine", **training}
    config["classifier"]["overrides"] = {"large_insect_order": override}
    found = mistakes(config)
    assert [mistake.split(":")[0] for mistake in found] == [f"classifier.{place}" for place in refused]
    assert all("before the learning rate has fallen to zero; set patience to" in mistake for mistake in found)


@pytest.mark.parametrize(
    "override", [{}, {"patience": 10, "epochs": 10}, {"patience": 1, "learning_rate_decay": "steps"}]
)
def test_a_cosine_that_patience_cannot_cut_is_allowed(override):
    config = with_value("classifier.training.learning_rate_decay", "cosine")
    config["classifier"]["overrides"] = {"large_insect_order": override}
    validate_config(config, SCHEMA_FILE)


def with_frozen_trunks(**classifier: Any) -> dict[str, Any]:
    config = with_value("classifier.training.freeze", "trunk")
    for name, part in classifier.items():
        config["classifier"][name] = config["classifier"][name] | part
    return config


def test_trunks_of_pretrained_networks_can_be_frozen():
    validate_config(with_frozen_trunks(), SCHEMA_FILE)
    validate_config(with_frozen_trunks(overrides={"small_insect_order": {"freeze": "none", "crop": 192}}), SCHEMA_FILE)


def test_experiments_that_share_features_have_the_same_pixels():
    (mistake,) = mistakes(with_frozen_trunks(overrides={"small_insect_order": {"crop": 192}}))
    assert mistake.startswith(
        "classifier.overrides: experiments with freeze: trunk share their features, but differ in"
    )
    assert "crop (192, 224)" in mistake


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        ({"weights": None}, "resnet50.weights: freeze: trunk needs pretrained weights"),
        ({"normalisation": "dataset"}, "resnet50.normalisation: 'dataset' differs between experiments"),
    ],
)
def test_a_trunk_is_frozen_only_where_its_features_are_of_use_and_the_same(backbone, message):
    config = with_frozen_trunks()
    config["classifier"]["backbones"]["resnet50"] |= backbone
    (mistake,) = mistakes(config)
    assert mistake.startswith(f"classifier.backbones.{message}")
    config["classifier"]["training"]["freeze"] = "none"
    validate_config(config, SCHEMA_FILE)


def test_photographs_and_crops_are_compared_by_whole_networks():
    config = with_frozen_trunks(original_vs_cropped={"enabled": True, "experiments": {"small_insect_order": {}}})
    (mistake,) = mistakes(config)
    assert mistake.endswith("whole networks are compared; add freeze: none")
    config["classifier"]["original_vs_cropped"]["experiments"] = {"small_insect_order": {"freeze": "none"}}
    validate_config(config, SCHEMA_FILE)


def test_a_cosine_of_the_comparison_is_not_cut_either():
    config = with_value("classifier.original_vs_cropped.enabled", True)
    config["classifier"]["original_vs_cropped"]["experiments"] = {
        "small_insect_order": {"learning_rate_decay": "cosine", "patience": 5}
    }
    (mistake,) = mistakes(config)
    assert mistake.startswith("classifier.original_vs_cropped.experiments.small_insect_order: with a cosine")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("crop.ratio", "wide", "crop.ratio: 'wide' is not of type 'number' (by how much the tight box grows"),
        ("crop.ratio", 0.9, "crop.ratio: 0.9 is less than the minimum of 1"),
        ("chunks", None, "chunks: has no value; write a text"),
        ("crop.ratio", None, "crop.ratio: has no value; write a number"),
        ("splits.seed", None, "splits.seed: has no value; write a whole number"),
        ("packages.jsonld_records", None, "packages.jsonld_records: has no value; write true or false"),
        ("detector.validation_sets", None, "detector.validation_sets: has no value; write a list, [] if it is empty"),
        ("detector.checkpoints", None, "detector.checkpoints: has no value; write keys below it, {} if there are none"),
        ("resize.jpeg_quality", 96, "resize.jpeg_quality: 96 is greater than the maximum of 95 (Pillow's scale)"),
        ("crop.pad_value", 256, "crop.pad_value: 256 is greater than the maximum of 255"),
        ("crop.jpeg_quality", 96, "96 is greater than the maximum of 95"),
        ("unreadable_limit", None, "unreadable_limit: has no value; write a number"),
        ("fetch.attempts", True, "fetch.attempts: True is not of type 'integer'"),
        ("labels.map", {"kind": {"a": 1}}, "labels.map.kind.a: 1 is not of type 'string'; YAML takes it for a number"),
        ("labels.map", {"kind": {1: "a"}}, "labels.map.kind: 1 is not of type 'string'; YAML takes it for a number"),
        ("labels.map", {"kind": {"a": ""}}, "labels.map.kind.a: '' should be non-empty"),
        (
            "inference.photographs",
            {2024: "x"},
            "inference.photographs: 2024 is not of type 'string'; YAML takes it for",
        ),
        (
            "inference.photographs",
            {"mine": {"source": "x", "parts": ["b.jpg", "a.jpg"]}},
            "inference.photographs.mine.parts: they are not in the order of code points, or one is named twice",
        ),
        ("inference.photographs", {"mine": {"source": "x", "parts": []}}, "inference.photographs.mine.parts: [] "),
        ("inference.photographs", {"mine": ["x"]}, "inference.photographs.mine: ['x'] is not of type"),
        ("labels.missing", [None], "labels.missing.0: None is not of type 'string'; YAML takes it"),
        ("splits.experiments.large_insect_order.where", {"order": True}, "True is not of type 'string'; YAML takes it"),
        ("chunks", ["a.tsv"], "chunks: ['a.tsv'] is not of type 'string'"),
        ("detector", [], "detector: [] is not of type 'object'"),
        ("detector.detection.below_threshold", "skip", "'skip' is not one of ['best_box', 'full_frame', 'drop']"),
        ("classifier.trials.large_insect_order", [], "classifier.trials.large_insect_order: [] should be non-empty"),
        ("classifier.seeds.large_insect_order", [1, 1], "has non-unique elements"),
        ("metadata.checksum", "md5:123", "metadata.checksum: 'md5:123' does not match"),
        ("splits.experiments", {"a b": {"label": "order"}}, "splits.experiments: 'a b' does not match"),
        ("packages.attributes.date", "June 2023", "'June 2023' does not match"),
        (
            "classifier.training.learning_rate",
            yaml.safe_load("1e-3"),
            "'1e-3' is not of type 'number'; YAML takes a number with an exponent only with a point, as in 1.0e-3",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(key, value, message):
    (mistake,) = mistakes(with_value(key, value))
    assert mistake.startswith(key) and message in mistake


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("detector.use", "relesed", "'relesed' is neither a checkpoint nor a training set; there are: ['released']"),
        ("detector.training_sets", ["IP+IW"], "detector.training_sets: no image set 'IP'"),
        ("detector.validation_sets", ["IP"], "detector.validation_sets: no image set 'IP'; there are: []"),
        ("splits.experiments.small_insect_order.parent", "large", "parent: no experiment 'large', only: ['large_dip"),
        ("splits.experiments.large_insect_order.roles_from", "x", "roles_from: no experiment 'x'"),
        (
            "splits.experiments.small_insect_order.parent",
            "small_insect_order",
            "depends on 'small_insect_order' itself",
        ),
        (
            "splits.experiments.Small_insect_order",
            {"label": "order"},
            "'small_insect_order' in upper and lower case",
        ),
        ("labels.map", {"kind": {"a": "a"}}, "labels.map.kind: 'a' is read as itself; remove it"),
        ("labels.map", {"kind": {"a": "b", "b": "c"}}, "labels.map.kind: 'a' becomes 'b', which is mapped too"),
        ("splits.ratios.test", 0.3, "splits.ratios: they sum to 1.1; they must sum to 1"),
        (
            "classifier.trials.large_insect_order",
            ["resnet_ce"],
            "no trial 'resnet_ce'; backbones and losses allow: ['res",
        ),
        ("classifier.trials.huge", ["resnet50_ce"], "classifier.trials.huge: no such experiment"),
        ("classifier.seeds.huge", [1], "classifier.seeds.huge: no such experiment"),
        ("classifier.overrides.huge", {"epochs": 1}, "classifier.overrides.huge: no such experiment"),
    ],
)
def test_a_name_must_stand_where_it_is_looked_for(key, value, message):
    assert any(message in mistake for mistake in mistakes(with_value(key, value)))


def test_a_released_classifier_needs_an_experiment_and_a_backbone_of_the_config():
    entry = {"experiment": "huge", "backbone": "resnet", "source": "a.tar", "checksum": None}
    experiment, backbone = mistakes(with_value("classifier.checkpoints", {"authors": entry}))
    assert experiment.startswith("classifier.checkpoints.authors.experiment: no experiment 'huge'")
    assert backbone.startswith("classifier.checkpoints.authors.backbone: no backbone 'resnet'; there are: ['resnet50'")


def test_a_comparison_of_photographs_and_crops_is_checked_where_it_is_enabled():
    config = with_value("classifier.original_vs_cropped.experiments", {"huge": {}})
    config["classifier"]["original_vs_cropped"]["trial"] = "resnet_ce"
    validate_config(config, SCHEMA_FILE)
    config["classifier"]["original_vs_cropped"]["enabled"] = True
    trial, experiment = mistakes(config)
    assert trial.startswith("classifier.original_vs_cropped.trial: no trial 'resnet_ce'")
    assert experiment.startswith("classifier.original_vs_cropped.experiments.huge: no such experiment")
    del config["classifier"]["original_vs_cropped"]
    validate_config(config, SCHEMA_FILE)


def test_an_experiment_needs_seeds():
    config = full_config()
    del config["classifier"]["seeds"]["small_insect_order"]
    assert mistakes(config) == [
        "classifier.seeds: no seeds for the experiment 'small_insect_order' of classifier.trials"
    ]


def test_an_experiment_must_not_have_the_name_of_a_label_column():
    config = with_value("splits.experiments.family", {"label": "genus"})
    assert mistakes(config) == [
        "splits.experiments.family: a column of the metadata has this name; choose another, as by_family"
    ]


@pytest.mark.parametrize(
    ("previous", "message"),
    [
        (None, "splits.previous: the policy extend needs the metadata TSV"),
        ("results/metadata/last.tsv", "splits.previous: 'results/metadata/last.tsv' lies under results/"),
        (["last.tsv", "results/first.tsv"], "splits.previous: 'results/first.tsv' lies under results/"),
        ([], "splits.previous"),
    ],
)
def test_a_release_to_extend_is_named_and_lies_outside_of_results(previous, message):
    config = full_config()
    config["splits"] |= {"policy": "extend", "previous": previous}
    (mistake,) = mistakes(config)
    assert mistake.startswith(message)
    config["splits"]["previous"] = "releases/last.tsv"
    validate_config(config, SCHEMA_FILE)


def test_a_monitor_is_an_image_set_and_a_checkpoint_has_a_name_of_its_own():
    config = with_value("detector.fine_tuning.monitor", "IW-150-val")
    assert mistakes(config) == ["detector.fine_tuning.monitor: no image set 'IW-150-val'; there are: []"]
    config = full_config()
    config["detector"]["image_sets"] = {"released": {"images": config["metadata"], "annotations": config["metadata"]}}
    config["detector"]["training_sets"] = ["released"]
    assert mistakes(config) == [
        "detector.checkpoints.released: a training set has this name too; rename the checkpoint"
    ]


def test_experiments_that_need_each_other_are_named():
    config = with_value("splits.experiments.large_insect_order.roles_from", "small_insect_order")
    found = [mistake.split(":")[0] for mistake in mistakes(config)]
    assert found == [
        "splits.experiments.large_insect_order.roles_from",
        "splits.experiments.small_insect_order.parent",
    ]


def test_two_trials_of_one_name_are_named():
    config = full_config()
    config["classifier"]["backbones"] |= {"a": config["classifier"]["backbones"]["resnet50"]}
    config["classifier"]["backbones"] |= {"a_b": config["classifier"]["backbones"]["resnet50"]}
    config["classifier"]["losses"] |= {"c": {"gamma": 0}, "b_c": {"gamma": 1}}
    assert any("would both be called 'a_b_c'" in mistake for mistake in mistakes(config))


def test_new_photographs_are_seen_by_experiments_that_are_trained():
    assert mistakes(with_value("inference.experiments", ["large_insect_ordre"])) == [
        "inference.experiments: no experiment 'large_insect_ordre' under classifier.trials"
    ]


def test_all_mistakes_come_at_once():
    config = with_value("crop.ratio", "wide")
    config["fetch"]["attemps"] = 3
    del config["resize"]["pixels"]
    assert len(mistakes(config)) == 3


def test_a_users_own_task_is_valid():
    config = full_config()
    config["splits"]["experiments"] = {"by_sex": {"label": "sex", "where": {"order": "Diptera"}, "largest_classes": 2}}
    config["classifier"] |= {
        "trials": {"by_sex": ["resnet50_ce"]},
        "seeds": {"by_sex": [0]},
        "overrides": {"by_sex": {"epochs": 3}},
    }
    config["inference"]["experiments"] = ["by_sex"]
    validate_config(config, SCHEMA_FILE)


def test_a_run_without_trials_and_detectors_to_evaluate_is_valid():
    config = full_config()
    config["classifier"] |= {"trials": {}, "seeds": {}}
    config["inference"]["experiments"] = None
    validate_config(config, SCHEMA_FILE)


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def described(node: dict[str, Any]) -> bool:
    """Whether a schema has a description, itself or where it refers to."""
    if "description" in node or "$ref" not in node:
        return "description" in node
    target = SCHEMA
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return described(target)


def undescribed(node: object, path: str = "") -> Iterator[str]:
    """The config keys below a part of the schema that have no description."""
    if isinstance(node, list):
        for item in node:
            yield from undescribed(item, path)
    elif isinstance(node, dict):
        for name, value in node.get("properties", {}).items():
            if not described(value):
                yield f"{path}.{name}"
            yield from undescribed(value, f"{path}.{name}")
        for name in node.keys() - {"properties"}:
            yield from undescribed(node[name], path)


def test_every_key_of_the_config_is_described():
    assert sorted(undescribed(SCHEMA)) == []


def test_what_an_experiment_may_override_is_what_training_has():
    classifier = SCHEMA["properties"]["classifier"]["properties"]
    assert set(classifier["overrides"]["additionalProperties"]["properties"]) == set(
        classifier["training"]["properties"]
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("metadata.source", "HTTP://me:s3cret@host/a.tsv"),
        ("metadata.source", "https://host/a.tsv?s3cret"),
        ("metadata", "https://me:s3cret@host/a.tsv?token=s3cret"),
        ("inference.photographs", {"mine": "Https://host/a.zip?signature=s3cret"}),
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(key, value):
    (told,) = mistakes(with_value(key, value))
    assert told.startswith(key) and "s3cret" not in told
