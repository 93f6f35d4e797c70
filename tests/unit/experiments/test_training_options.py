"""Options that make a training faster leave it a training: it learns, and its model is one as any other.

That a step in several passes learns what one in a single pass does is tested with the processes that share a step.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch._dynamo.utils import counters
from toy_experiment import IMAGES, RESNET, VIT, make_package, make_trial, train_and_write

from bioscan1m.experiments import network_input
from bioscan1m.experiments.classifiers import build_classifier
from bioscan1m.experiments.evaluation import describe_test, evaluate_model
from bioscan1m.experiments.settings import Backbone, settings_of
from bioscan1m.experiments.trained_classifier import load_trained
from bioscan1m.networks import device
from bioscan1m.networks.weights import read_weights

COMPILER = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++") or shutil.which("clang++")
HEADER = Path(sysconfig.get_path("include")) / "Python.h"
can_compile = pytest.mark.skipif(
    not (COMPILER and HEADER.exists()), reason="torch.compile needs a C++ compiler and the header files of Python"
)


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> tuple[Path, Path]:
    """A package and its split."""
    return make_package(tmp_path_factory.mktemp("toy"))


def learn(toy: tuple[Path, Path], folder: Path, backbone: dict[str, Any] = RESNET, **training: Any) -> pd.DataFrame:
    """Train, check what is written and that it passes its test, and return the history."""
    folder.mkdir(exist_ok=True)
    train_and_write(toy, make_trial(backbone, **training), folder)
    weights = read_weights(folder / "model.safetensors")
    assert set(weights) == set(build_classifier(settings_of(Backbone, backbone), len(IMAGES), 32).state_dict())
    assert {tensor.dtype for tensor in weights.values()} <= {torch.float32, torch.int64}
    assert describe_test(evaluate_model(*toy, folder / "model.safetensors"), [1])["metrics"]["micro_top1"] > 0.85
    return pd.read_csv(folder / "history.tsv", sep="\t")


def difference(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """The largest difference of two trainings in their first epoch's losses."""
    return (one - other)[["train_loss", "validation_loss"]].iloc[0].abs().max()


@pytest.mark.parametrize("backbone", [RESNET, VIT], ids=["resnet", "vit"])
def test_half_precision_learns_and_keeps_whole_weights(toy, tmp_path, backbone):
    settings = {"epochs": 8, "learning_rate_steps": [6]}
    half = learn(toy, tmp_path / "half", backbone, precision="bfloat16", **settings)
    whole = learn(toy, tmp_path / "whole", backbone, precision="float32", **settings)
    assert 0 < difference(half, whole) < 0.1


def test_the_memory_layout_of_a_gpu_learns_the_same(toy, tmp_path, monkeypatch):
    usual = learn(toy, tmp_path / "usual")
    for module in (device, network_input):
        monkeypatch.setattr(module, "memory_format", lambda _: torch.channels_last)
    other = learn(toy, tmp_path / "other")
    assert difference(usual, other) < 1e-3
    kernel = next(weight for weight in load_trained(tmp_path / "other/model.safetensors").model.parameters())
    assert kernel.is_contiguous(memory_format=torch.channels_last) and not kernel.is_contiguous()


@pytest.mark.slow
@can_compile
def test_a_compiled_network_learns_the_same(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setattr("torch._inductor.config.compile_threads", 1)  # to start others takes longer
    torch.compiler.reset()
    counters.clear()
    settings = {"epochs": 16, "learning_rate_steps": [12], "batch_size": 31}  # an epoch is a step: one size to compile
    compiled = learn(toy, tmp_path / "compiled", VIT, compile=True, **settings)
    assert counters["stats"]["unique_graphs"] > 0
    assert difference(compiled, learn(toy, tmp_path / "usual", VIT, **settings)) < 0.01
