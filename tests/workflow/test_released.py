"""Released classifiers are fetched, imported and tested as the config names them; one that does not fit is named."""

from __future__ import annotations

import copy
from pathlib import Path

import pandas as pd
import pytest
import torch
from torchvision.models import resnet18

from bioscan1m.networks.weights import read_recipe
from workflow_runs import planned_jobs, snakemake, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

EXPERIMENT = "small_insect_order"
TABLE = "results/summary/released.tsv"


def name_checkpoints(run: Path, config: dict, **classes: int) -> None:
    """Make checkpoints with that many classes, of a network that the run's own trials have not, and name them."""
    config = copy.deepcopy(config)
    config["classifier"]["backbones"]["resnet18"] = {
        "library": "torchvision",
        "name": "resnet18",
        "weights": None,
        "normalisation": "dataset",
        "settings": {},
    }
    for name, number in classes.items():
        file = run / f"{name}_weights_best_acc.tar"
        torch.save({"model": resnet18(num_classes=number).state_dict(), "epoch": 3}, file)
        source = {"experiment": EXPERIMENT, "backbone": "resnet18", "source": str(file), "checksum": None}
        config["classifier"]["checkpoints"][name] = source
    write_config(run, config)


def test_a_released_classifier_is_tested_beside_the_published_figure(small_run, run: Path) -> None:
    classes = len(pd.read_csv(run / f"results/experiments/{EXPERIMENT}/classes.tsv", sep="\t"))
    name_checkpoints(run, small_run.config, authors=classes)
    jobs = {"fetch_released": 1, "import_classifier": 1, "test_released": 1, "tabulate_released": 1, "total": 4}
    assert planned_jobs(snakemake_succeeds(run, TABLE, "--dry-run", "--quiet", "rules")) == jobs
    snakemake_succeeds(run, TABLE)
    (row,) = pd.read_csv(run / TABLE, sep="\t").to_dict("records")
    assert (row["checkpoint"], row["experiment"], row["micro_top1_published"]) == ("authors", EXPERIMENT, 97.86)
    assert row["micro_top1_difference"] == pytest.approx(row["micro_top1"] - 97.86)
    recipe = read_recipe(run / f"results/released/{EXPERIMENT}/authors/model.safetensors")
    assert recipe["channels"] == {"mean": [0, 0, 0], "std": [1, 1, 1]}

    name_checkpoints(run, small_run.config, authors=classes, other=classes + 3)
    output = snakemake(run, TABLE, "--retries", "0").stdout
    assert f"other.tar: a classifier of {classes + 3} classes, but" in output and f"has {classes};" in output
    assert not (run / f"results/released/{EXPERIMENT}/other/model.safetensors").exists()
    assert (run / f"results/released/{EXPERIMENT}/authors/test.json").exists()
