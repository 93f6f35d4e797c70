"""A run of every rule, with the lines of the library that the jobs of each script ran."""

from __future__ import annotations

import os
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
import torch
import yaml
from released_detectors import as_released, write_checkpoint
from torchvision.models import resnet18, resnet50
from transformers import ResNetConfig, ResNetForImageClassification

from bioscan1m.jobs.code_digest import LIBRARY, SCRIPTS
from bioscan1m.jobs.counted_syntax import NOT_COUNTED
from forked_snakemake import JOBS_FORK_FROM
from workflow_runs import EXPERIMENT, REPOSITORY, smallest_run, snakemake_succeeds, write_config

RECORDER = REPOSITORY / "tests/recorder"
# What `all` does not make.
ON_REQUEST = ("embeddings", "predict", "results/summary/released.tsv", "results/detector/released/model.safetensors")

# Besides NOT_COUNTED: its job answers with the digest of the recipe, in which the code is a digest already.
ASKS_THE_JOB = "recipe_of_job"

Lines = dict[str, set[int]]  # by the name of a file of the library


class RecordedRun(NamedTuple):
    """A finished run, and the lines that ran by the name of the script."""

    folder: Path
    lines: dict[str, Lines]

    def scripts_that_ran(self, file: str, lines: Iterable[int]) -> set[str]:
        """Those whose jobs ran one of the lines of a file."""
        return {script for script, ran in self.lines.items() if not ran.get(file, set()).isdisjoint(lines)}


def record_run(folder: Path, records: Path) -> RecordedRun:
    """Run everything in an empty folder; what is recorded is written to another."""
    settings = {
        "PYTHONPATH": str(RECORDER),
        "EXECUTED_LINES": str(records),
        "EXECUTED_LINES_OF": f"{LIBRARY}{os.sep}",
        "EXECUTED_LINES_LEFT_OUT": ",".join([*NOT_COUNTED, ASKS_THE_JOB]),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(JOBS_FORK_FROM, raising=False)
        for name, value in settings.items():
            patch.setenv(name, value)
        _run_everything(folder)
    return RecordedRun(folder, {path.stem: read_lines(path) for path in sorted(records.iterdir())})


def read_lines(record: Path) -> Lines:
    """What the recorder wrote of one script."""
    lines: Lines = defaultdict(set)
    for row in record.read_text(encoding="utf-8").splitlines():
        path, _, line = row.rpartition(":")
        lines[Path(path).relative_to(SCRIPTS).as_posix()].add(int(line))
    return lines


def _run_everything(folder: Path) -> None:
    config = yaml.safe_load((smallest_run(folder) / "config.yaml").read_text())
    config["classifier"]["original_vs_cropped"]["enabled"] = True
    config["classifier"]["backbones"]["resnet50"]["normalisation"] = "dataset"
    config["packages"]["jsonld_records"] = True
    config["splits"]["duplicates"] = "together"
    _name_pretrained(folder / "pretrained", config["classifier"]["backbones"]["resnet50"])
    write_config(folder, config)
    snakemake_succeeds(folder, "all")
    _name_checkpoints(folder, config)
    _name_photographs(folder, config)
    _freeze_trunk(config["classifier"])
    write_config(folder, config)
    snakemake_succeeds(folder, *ON_REQUEST)
    snakemake_succeeds(folder, "audit")


def _freeze_trunk(classifier: dict[str, Any]) -> None:
    """The trials train on features from here on."""
    classifier["backbones"]["resnet50"]["normalisation"] = "unit"
    classifier["training"]["freeze"] = "trunk"
    classifier["original_vs_cropped"]["enabled"] = False


def _name_pretrained(folder: Path, backbone: dict[str, Any]) -> None:
    """Pretrained weights of a backbone of the config."""
    torch.manual_seed(1)
    ResNetForImageClassification(ResNetConfig(**backbone["settings"])).save_pretrained(folder)
    backbone["weights"] = str(folder)


def _name_checkpoints(folder: Path, config: dict[str, Any]) -> None:
    """A classifier and a detector in the form of the released ones, for a run that knows its classes."""
    torch.manual_seed(1)
    detector, classifier = folder / "released.ckpt", folder / "released.tar"
    write_checkpoint(detector, as_released(resnet50(), [3, 4, 6, 3]))
    config["detector"]["checkpoints"]["released"] = {"source": str(detector), "checksum": None}
    classes = len(pd.read_csv(folder / f"results/experiments/{EXPERIMENT}/classes.tsv", sep="\t"))
    torch.save({"model": resnet18(num_classes=classes).state_dict(), "epoch": 3}, classifier)
    described = {"library": "torchvision", "name": "resnet18", "weights": None, "settings": {}}
    described["normalisation"] = "unit"
    config["classifier"]["backbones"]["resnet18"] = described
    source = {"experiment": EXPERIMENT, "backbone": "resnet18", "source": str(classifier), "checksum": None}
    config["classifier"]["checkpoints"]["released"] = source


def _name_photographs(folder: Path, config: dict[str, Any]) -> None:
    """A few photographs of one's own in two parts, one of them damaged."""
    own = folder / "photographs"
    (own / "plate").mkdir(parents=True)
    with zipfile.ZipFile(folder / "source/bioscan_images_original_full_part1.zip") as archive:
        for name, copy in zip(archive.namelist(), ("a.jpg", "plate/b.jpg", "plate/c.jpg"), strict=False):
            (own / copy).write_bytes(archive.read(name))
    (own / "broken.jpg").write_bytes(b"no image")
    config["inference"]["photographs"] = {"own": {"source": str(own), "parts": ["plate/"]}}
