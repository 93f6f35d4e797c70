"""Runs of the whole workflow, each made once and shared by the tests that look at its results or copy it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from forked_snakemake import JOBS_FORK_FROM
from workflow_runs import (
    REPOSITORY,
    make_small_data,
    small_config,
    smallest_run,
    snakemake_succeeds,
    write_config,
)


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, its config and what Snakemake printed."""

    folder: Path
    output: str
    config: dict[str, Any]

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="session", autouse=True)
def jobs_that_fork(warm_jobs: None) -> None:
    """Those of all runs here, where a test does not ask otherwise."""


@pytest.fixture
def plain_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job is a new Python process, with another order of sets."""
    monkeypatch.delenv(JOBS_FORK_FROM, raising=False)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Run:
    """The small run, finished: everything, the audit and the report. In a folder with a space in its name."""
    return Run(*made_once("small run", finish_small_run, tmp_path_factory, worker_id), config=small_config())


@pytest.fixture(scope="session")
def smallest_finished_run(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """One experiment with one trial on two chunks, every rule once; not interrupted."""
    return made_once("smallest run", finish_smallest_run, tmp_path_factory, worker_id)[0]


def made_once(
    name: str, make: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> tuple[Path, str]:
    """A folder that one of the processes that run tests makes for all, and what Snakemake printed then."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / name
    printed = folder.with_suffix(".txt")
    with FileLock(f"{folder}.lock"):
        if not printed.exists():
            shutil.rmtree(folder, ignore_errors=True)  # left by a process in which it failed
            folder.mkdir()
            printed.write_text(make(folder))
    return folder, printed.read_text()


def finish_smallest_run(folder: Path) -> str:
    """Make and run it there, by many jobs at a time, each a new Python process; what Snakemake prints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(JOBS_FORK_FROM, raising=False)
        return snakemake_succeeds(smallest_run(folder, chunks=2), "all", "--cores", "5")


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
def new_run(small_run: Run, tmp_path: Path) -> Path:
    """A folder with a copy of the small run's input and config, and no results yet."""
    run = tmp_path / "new run"
    shutil.copytree(small_run / "source", run / "source")
    manifest = (small_run / "chunks.tsv").read_text()
    (run / "chunks.tsv").write_text(manifest.replace(small_run.folder.as_uri(), run.as_uri()))
    write_config(run, small_config())
    return run


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The workflow in another folder, as after a fresh clone: every file is new."""
    folder = tmp_path / "checkout"
    for name in ("rules", "workflow_scripts", "profiles", "envs"):
        shutil.copytree(REPOSITORY / name, folder / name, copy_function=shutil.copy)
    for name in ("Snakefile", "pyproject.toml", "config.yaml"):
        shutil.copy(REPOSITORY / name, folder)
    return folder
