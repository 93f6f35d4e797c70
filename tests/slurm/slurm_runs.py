"""Runs by the literal `snakemake --profile slurm`, with the profile as a site adapts it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from workflow_runs import REPOSITORY, make_small_data, small_config, write_config

EXPERIMENT = "small_insect_order"
TRIAL = f"results/experiments/{EXPERIMENT}/resnet50_ce_seed1"
PROFILE = REPOSITORY / "profiles/slurm/profile.yaml"
# The head's own checks take seconds here; the plugin's default of 40 s is for schedulers with thousands of jobs.
IMPATIENT = {"slurm-init-seconds-before-status-checks": 3, "latency-wait": 10}


def small_run_folder(folder: Path) -> Path:
    """One experiment with one trial: every rule once."""
    config = small_config()
    classifier = config["classifier"]
    classifier["trials"], classifier["seeds"] = {EXPERIMENT: ["resnet50_ce"]}, {EXPERIMENT: [1]}
    classifier["original_vs_cropped"]["enabled"] = False
    config["inference"]["experiments"] = [EXPERIMENT]
    make_small_data(folder)
    write_config(folder, config)
    return folder


def adapt_profile(folder: Path, **settings: Any) -> Path:
    """Write the profile, with a site's settings, as `slurm/` into a folder; return the folder, to work in."""
    profile = yaml.safe_load(PROFILE.read_text()) | IMPATIENT | settings
    (folder / "slurm").mkdir(parents=True)
    (folder / "slurm/profile.yaml").write_text(yaml.safe_dump(profile, sort_keys=False))
    return folder


def on_the_cluster(
    site: Path, run: Path, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """`snakemake --profile slurm` from the folder that has the profile, on the folder `run`."""
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--snakefile", str(REPOSITORY / "Snakefile")]
    return subprocess.Popen(
        [*command, "--directory", str(run), *arguments],
        cwd=site,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and output of a run."""
    output, _ = process.communicate()
    return process.returncode, output
