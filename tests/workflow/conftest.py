"""One small run of the whole workflow, shared by the tests that look at its results."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from workflow_runs import REPOSITORY, make_small_data, small_config, snakemake_succeeds, write_config


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its config and what Snakemake printed."""

    folder: Path
    config: dict[str, Any]
    output: str

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Run:
    """The small run, finished: everything, the audit and the report. In a folder with a space in its name."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "small run"  # one for all processes that run tests
    said = folder.with_suffix(".txt")
    with FileLock(f"{folder}.lock"):
        if not said.exists():
            shutil.rmtree(folder, ignore_errors=True)  # left by a process in which it failed
            folder.mkdir()
            said.write_text(finish_small_run(folder))
    return Run(folder, small_config(), said.read_text())


def finish_small_run(folder: Path) -> str:
    """Make and run it there; what Snakemake says."""
    make_small_data(folder)
    write_config(folder, small_config())
    side_by_side = ("--max-threads", "1")  # as the demo; the runs that tests compare with it have more
    output = snakemake_succeeds(folder, "all", *side_by_side) + snakemake_succeeds(folder, "audit")
    style = str(REPOSITORY / "rules/captions/report.css")
    snakemake_succeeds(folder, "all", "audit", "--report", "results/report.html", "--report-stylesheet", style)
    return output


@pytest.fixture
def run(small_run: Run, tmp_path: Path) -> Path:
    """The finished run in another folder, to change."""
    return Path(shutil.copytree(small_run.folder, tmp_path / "run"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The workflow in another folder, as after a fresh clone: every file is new."""
    folder = tmp_path / "checkout"
    for name in ("rules", "workflow_scripts", "profiles", "envs"):
        shutil.copytree(REPOSITORY / name, folder / name, copy_function=shutil.copy)
    for name in ("Snakefile", "pyproject.toml", "config.yaml"):
        shutil.copy(REPOSITORY / name, folder)
    return folder
