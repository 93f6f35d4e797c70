"""One small run of the whole workflow, shared by the tests that look at its results."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workflow_runs import REPOSITORY, demo_config, snakemake_succeeds, write_config


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its config and what Snakemake printed."""

    folder: Path
    config: dict[str, Any]
    output: str

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


def make_small_data(folder: Path) -> None:
    """The demo's generator with fewer and smaller photographs."""
    sizes = {"images-per-chunk": 110, "width": 320, "annotated-training": 40, "annotated-validation": 12}
    command = [sys.executable, str(REPOSITORY / "workflow_scripts/make_demo_data.py"), "--out", str(folder)]
    subprocess.run([*command, *(f"--{name}={value}" for name, value in sizes.items())], check=True, capture_output=True)


def small_config() -> dict[str, Any]:
    """The demo's config made smaller: every stage and every value of every wildcard, fewer epochs and images."""
    config = demo_config()
    config["detector"]["fine_tuning"] |= {"base": str(REPOSITORY / "tests/demo/detector"), "epochs": 1}
    experiments = config["splits"]["experiments"]
    for task, medium, small in (("diptera_family", 90, 60), ("insect_order", 150, 100)):
        experiments[f"medium_{task}"]["images"] = medium
        experiments[f"small_{task}"]["images"] = small
    config["classifier"]["training"] |= {"epochs": 2, "learning_rate_steps": [1]}
    for experiment, trials in config["classifier"]["trials"].items():
        config["classifier"]["trials"][experiment] = trials[:2]
        config["classifier"]["seeds"][experiment] = [1]
    config["classifier"]["seeds"]["small_insect_order"] = [1, 2]
    return config


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small run, finished: everything, the audit and the report. In a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("small run")
    config = small_config()
    make_small_data(folder)
    write_config(folder, config)
    output = snakemake_succeeds(folder, "all") + snakemake_succeeds(folder, "audit")
    snakemake_succeeds(folder, "all", "audit", "--report", "results/report.html")
    return Run(folder, config, output)
