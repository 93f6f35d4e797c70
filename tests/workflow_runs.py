"""Runs of the workflow in a folder of their own, for the tests that need a real one."""

from __future__ import annotations

import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[1]
DEMO_CONFIG = REPOSITORY / "tests/demo/config.yaml"


def snakemake(run: Path, *arguments: str, profile: str = "profiles/demo") -> subprocess.CompletedProcess[str]:
    """Run Snakemake on the folder `run`, which holds config.yaml and chunks.tsv; its output is in `stdout`."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", str(run)]
    return subprocess.run(
        [*command, "--profile", profile, *arguments],
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def snakemake_succeeds(run: Path, *arguments: str, profile: str = "profiles/demo") -> str:
    """As `snakemake`, but a failed run fails the test with its output."""
    done = snakemake(run, *arguments, profile=profile)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def planned_jobs(output: str) -> dict[str, int]:
    """Rule -> number of jobs, from the job table that Snakemake prints."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+)\s+(\d+)\s*$", output, flags=re.MULTILINE)}


def demo_config() -> dict[str, Any]:
    """A copy of the demo's config, to change."""
    return copy.deepcopy(yaml.safe_load(DEMO_CONFIG.read_text()))


def write_config(run: Path, config: dict[str, Any]) -> None:
    """Put a config into a run folder."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
