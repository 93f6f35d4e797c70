"""The plan of a run is the config spelled out: chunks, groups, detectors and trials."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from bioscan1m.experiments.settings import trial_of
from bioscan1m.networks.channels import Channels
from bioscan1m.plan.run import Plan, Trial

REPOSITORY = Path(__file__).parents[3]


def full_config() -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))


def plan(config: dict[str, Any] | None = None, chunks: int = 113) -> Plan:
    """The plan of the full config, or of another, for chunks named 1, 2, …"""
    sources = {str(number): {"source": f"{number}.zip"} for number in range(1, chunks + 1)}
    return Plan(config or full_config(), sources)


def test_the_full_run_has_72_trainings():
    trials = plan().trials
    assert len(set(trials)) == len(trials) == 72
    assert trials[0] == Trial("large_insect_order", "resnet50", "ce", 1)
    assert trials[-1] == Trial("small_diptera_family", "vit_b_16", "focal", 3)
    counts = Counter((trial.experiment, trial.backbone, trial.loss) for trial in trials)
    assert len(counts) == 24 and set(counts.values()) == {3}


def test_an_experiment_has_the_trials_and_seeds_that_its_config_names():
    config = full_config()
    config["classifier"]["trials"] = {"small_insect_order": ["vit_b_16_focal", "resnet50_ce"]}
    config["classifier"]["seeds"] = {"small_insect_order": [7, 3]}
    assert plan(config).experiments == ["small_insect_order"]
    assert plan(config).trials == [
        Trial("small_insect_order", "vit_b_16", "focal", 7),
        Trial("small_insect_order", "vit_b_16", "focal", 3),
        Trial("small_insect_order", "resnet50", "ce", 7),
        Trial("small_insect_order", "resnet50", "ce", 3),
    ]


def test_photographs_are_set_against_crops_where_the_config_asks_for_it():
    config = full_config()
    assert plan(config).comparisons == []
    config["classifier"]["original_vs_cropped"]["enabled"] = True
    assert [tuple(compared.values()) for compared in plan(config).comparisons] == [
        ("small_insect_order", "original_256"),
        ("small_insect_order", "cropped_256"),
        ("small_diptera_family", "original_256"),
        ("small_diptera_family", "cropped_256"),
    ]
    settings = plan(config).comparison_settings("small_diptera_family")
    assert (settings["backbone"], settings["loss"], settings["seed"]) == ("resnet50", "ce", 1)
    assert settings["training"]["epochs"] == 40 and settings["training"]["optimizer"] == "adamw"
    assert settings["training"]["batch_size"] == config["classifier"]["training"]["batch_size"]
    del config["classifier"]["original_vs_cropped"]
    assert plan(config).comparisons == []


def test_crops_are_grouped_in_twenties_and_the_last_group_is_what_is_left():
    groups = plan().groups
    assert list(groups) == ["1-20", "21-40", "41-60", "61-80", "81-100", "101-113"]
    assert groups["21-40"] == [str(number) for number in range(21, 41)]
    assert [chunk for group in groups.values() for chunk in group] == plan().chunks


@pytest.mark.parametrize(("chunks", "names"), [(1, ["1-1"]), (20, ["1-20"]), (21, ["1-20", "21-21"]), (0, [])])
def test_groups_of_few_chunks(chunks, names):
    assert list(plan(chunks=chunks).groups) == names


def test_a_new_chunk_leaves_the_full_groups_as_they_are():
    before, after = plan(chunks=113).groups, plan(chunks=114).groups
    assert [name for name in before if name not in after] == ["101-113"]


def test_the_full_run_crops_with_the_released_detector_and_evaluates_none():
    assert plan().detectors == ["released"]
    assert plan().detector_evaluations == []


def with_training_sets(use: str, validation_sets: list[str]) -> Plan:
    config = full_config()
    config["detector"] |= {
        "use": use,
        "training_sets": ["IP-1000+IW-1000", "IW-1000"],
        "validation_sets": validation_sets,
    }
    return plan(config)


def test_every_detector_is_evaluated_on_every_validation_set():
    run = with_training_sets("IW-1000", ["IP-val", "IW-val"])
    assert run.detectors == ["IW-1000", "IP-1000+IW-1000", "released"]
    assert len({tuple(pair.values()) for pair in run.detector_evaluations}) == len(run.detector_evaluations) == 6


def test_a_checkpoint_that_nobody_needs_is_not_fetched():
    assert with_training_sets("IW-1000", []).detectors == ["IW-1000", "IP-1000+IW-1000"]


def test_a_training_set_is_the_sum_of_its_image_sets():
    assert plan().image_sets("IP-1000+IW-1000") == ["IP-1000", "IW-1000"]
    assert plan().image_sets("IW-1000") == ["IW-1000"]


def test_labels_are_the_columns_that_experiments_need():
    assert plan().labels() == ["family", "order"]


def test_a_subset_has_the_label_column_of_its_parent():
    columns = plan().label_columns()
    assert list(columns) == plan().split_experiments
    assert columns["small_diptera_family"] == columns["large_diptera_family"] == "family"
    assert columns["medium_insect_order"] == "order"


def test_overrides_reach_their_experiment_alone():
    config = full_config()
    config["classifier"]["overrides"] = {"small_insect_order": {"epochs": 3}}
    run = plan(config)
    training = {name: value for name, value in config["classifier"]["training"].items() if name != "freeze"}
    assert run.training("small_insect_order") == training | {"epochs": 3}
    assert run.training("large_insect_order") == training


def test_a_training_of_the_whole_network_is_the_one_before_there_was_a_choice():
    """The parameters of its jobs have no key that they had not, so that no older run is planned again."""
    for run in (plan(), with_trunk(large_insect_order="none")):
        assert not run.frozen_backbones and "freeze" not in run.training("large_insect_order")
    config = full_config()
    config["classifier"]["training"]["freeze"] = "trunk"
    config["classifier"]["original_vs_cropped"] |= {
        "enabled": True,
        "experiments": {"small_insect_order": {"freeze": "none"}},
    }
    assert "freeze" not in plan(config).comparison_settings("small_insect_order")["training"]


def with_trunk(**choices: str) -> Plan:
    """The plan of the full run with this `freeze` in these experiments."""
    config = full_config()
    config["classifier"]["overrides"] = {name: {"freeze": choice, "epochs": 7} for name, choice in choices.items()}
    config["classifier"]["trials"]["small_insect_order"] = ["resnet50_ce"]
    return plan(config)


def test_features_are_computed_once_per_backbone_for_all_experiments_that_train_on_them():
    run = with_trunk(small_insect_order="trunk", large_diptera_family="trunk")
    assert run.frozen_backbones == ["resnet50", "vit_b_16"]
    assert run.frozen_experiments("resnet50") == ["small_insect_order", "large_diptera_family"]
    assert run.frozen_experiments("vit_b_16") == ["large_diptera_family"]
    assert run.training("small_insect_order")["freeze"] == "trunk"
    assert not run.is_frozen("large_insect_order")


def test_features_depend_on_pixels_and_network_and_not_on_how_a_head_is_trained():
    trunk = with_trunk(small_insect_order="trunk").trunk_settings("resnet50")
    assert trunk == {
        "backbone_settings": full_config()["classifier"]["backbones"]["resnet50"],
        "training": {"short_side": 256, "crop": 224, "precision": "auto"},
    }


PUBLISHED = {  # table 4, and the steps of the released code
    "epochs": 100, "batch_size": 32, "optimizer": "sgd", "learning_rate": 1e-3, "momentum": 0.9, "weight_decay": 1e-4,
    "learning_rate_decay": "steps", "learning_rate_steps": [20, 25], "learning_rate_factor": 0.1,
    "short_side": 256, "crop": 224,
}  # fmt: skip


@pytest.mark.parametrize("experiment", full_config()["splits"]["experiments"])
def test_the_full_run_trains_as_published(experiment):
    """Small and Medium for 100 epochs, Large for fewer (section 5)."""
    training = plan().training(experiment)
    assert {name: training[name] for name in PUBLISHED} == PUBLISHED
    assert (training["patience"] < training["epochs"]) == experiment.startswith("large")


def test_the_full_run_starts_from_the_weights_and_the_input_of_the_released_code():
    backbones = full_config()["classifier"]["backbones"]
    revision = "b5b38b8f7dd93ce67d12e356a8771556b95c8cf9"
    assert {name: (backbone["weights"], backbone["normalisation"]) for name, backbone in backbones.items()} == {
        "resnet50": ("IMAGENET1K_V1", "unit"),
        "vit_b_16": (f"timm/vit_base_patch16_224.augreg_in21k_ft_in1k@{revision}", "unit"),
    }


def with_normalisation(**choices: object) -> Plan:
    config = full_config()
    for backbone, choice in choices.items():
        config["classifier"]["backbones"][backbone]["normalisation"] = choice
    config["classifier"]["trials"]["small_insect_order"] = ["vit_b_16_ce"]
    config["classifier"]["original_vs_cropped"]["enabled"] = True
    return plan(config)


def test_channels_are_measured_where_a_trial_wants_those_of_the_dataset():
    assert plan().measured_experiments == [] == with_normalisation(resnet50="weights").measured_comparisons
    run = with_normalisation(resnet50="dataset")
    assert run.measured_experiments == [name for name in run.experiments if name != "small_insect_order"]
    assert run.measured_comparisons == run.comparisons
    run = with_normalisation(vit_b_16="dataset")
    assert run.measured_experiments == run.experiments and run.measured_comparisons == []


def test_what_is_fetched_and_built_does_not_depend_on_the_normalisation():
    assert with_normalisation(resnet50="dataset").network("resnet50") == plan().network("resnet50")
    assert (
        plan().trial_settings("small_insect_order", "resnet50", "ce", 1)["backbone_settings"]["normalisation"] == "unit"
    )


def test_a_training_with_the_numbers_of_older_models_is_the_one_that_made_them():
    """Its parameter is as it was before there was the key, so that models of then stay valid."""
    before = {"mean": [0.7251, 0.7289, 0.7296], "std": [0.1265, 0.1430, 0.1610]}
    settings = with_normalisation(resnet50=before).trial_settings("small_insect_order", "resnet50", "ce", 1)
    assert list(settings["backbone_settings"]) == ["library", "name", "weights", "settings"]
    assert trial_of(settings).channels == Channels(tuple(before["mean"]), tuple(before["std"]))


def test_a_training_is_told_all_it_needs():
    settings = plan().trial_settings("small_insect_order", "vit_b_16", "focal", 2)
    assert (settings["experiment"], settings["backbone"], settings["loss"], settings["seed"]) == (
        "small_insect_order",
        "vit_b_16",
        "focal",
        2,
    )
    assert settings["backbone_settings"] == full_config()["classifier"]["backbones"]["vit_b_16"]
    assert settings["loss_settings"] == {"gamma": 2}
    assert settings["training"]["batch_size"] == 32
