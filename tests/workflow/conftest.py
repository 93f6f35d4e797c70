"""One small run of the whole workflow, shared by the tests that look at its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The small run, finished: everything, the audit and the report. In a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("small run")
    config = small_config()
    make_small_data(folder)
    write_config(folder, config)
    output = snakemake_succeeds(folder, "all") + snakemake_succeeds(folder, "audit")
    style = str(REPOSITORY / "rules/captions/report.css")
    snakemake_succeeds(folder, "all", "audit", "--report", "results/report.html", "--report-stylesheet", style)
    return Run(folder, config, output)
