"""Runs of the workflow in a folder of their own, for the tests that need a real one."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from bioscan1m.foundation.digests import file_digest
from bioscan1m.jobs.code_digest import KEPT
from forked_snakemake import snakemake_in_a_fork

REPOSITORY = Path(__file__).parents[1]
# The experiments of the small run, of both tasks and with a subset, and the one of the smallest run.
TRIED = ("large_insect_order", "small_insect_order", "large_diptera_family")
EXPERIMENT = "small_insect_order"
# What differs from run to run: records, the crate and the page that list them, and what a clock says.
NOT_COMPARED = {"provenance", "ro-crate", "report.html", "speed.tsv"}
DEMO_CONFIG = REPOSITORY / "tests/demo/config.yaml"


def snakemake(
    run: Path, *arguments: str, profile: str = "profiles/demo", checkout: Path = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake on the folder `run`, which holds config.yaml and chunks.tsv; its output is in `stdout`."""
    settings = ["--snakefile", "Snakefile", "--directory", str(run), "--profile", profile]
    return snakemake_in_a_fork([*settings, *arguments], checkout)


def snakemake_succeeds(run: Path, *arguments: str, profile: str = "profiles/demo", checkout: Path = REPOSITORY) -> str:
    """As `snakemake`, but a failed run fails the test with its output."""
    done = snakemake(run, *arguments, profile=profile, checkout=checkout)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def planned_jobs(output: str) -> dict[str, int]:
    """Rule -> number of jobs, from the job table that Snakemake prints."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+)\s+(\d+)\s*$", output, flags=re.MULTILINE)}


def outputs_of_jobs(run: Path, target: str = "all") -> pd.DataFrame:
    """One row per output of a target's jobs, made or not: output_file, rule, log-file(s), status and plan."""
    summary = snakemake_succeeds(run, target, "--summary")
    lines = [line.split("\t") for line in summary.splitlines() if line.count("\t") > 1]
    return pd.DataFrame(lines[1:], columns=lines[0])


def demo_config() -> dict[str, Any]:
    """A copy of the demo's config, to change."""
    return copy.deepcopy(yaml.safe_load(DEMO_CONFIG.read_text()))


def write_config(run: Path, config: dict[str, Any]) -> None:
    """Put a config into a run folder."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def copy_checkout(folder: Path) -> Path:
    """What is committed, as it is now, in another folder, with the environment that this runs in."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, folder / name, follow_symlinks=False)
    (folder / ".venv").symlink_to(sys.prefix)
    for lock in (folder / "envs").glob("*.txt"):
        os.utime(lock, (0, 0))  # so that make finds the environment up to date
    if KEPT.exists():  # the digests of the code, which take seconds to compute
        kept = folder / KEPT.relative_to(REPOSITORY)
        kept.parent.mkdir()
        shutil.copy2(KEPT, kept)
    return folder


def make_small_data(folder: Path) -> None:
    """The demo's generator with fewer and smaller photographs."""
    sizes = {"images-per-chunk": 110, "width": 320, "annotated-training": 40, "annotated-validation": 12}
    command = [sys.executable, str(REPOSITORY / "workflow_scripts/make_demo_data.py"), "--out", str(folder)]
    subprocess.run([*command, *(f"--{name}={value}" for name, value in sizes.items())], check=True, capture_output=True)


def small_config() -> dict[str, Any]:
    """The demo's config made smaller: every stage, backbone and loss, fewer epochs and images, three experiments."""
    config = demo_config()
    config["scratch"] = tempfile.gettempdir()
    config["paper_figures"] = True  # as in the full run
    config["detector"]["fine_tuning"] |= {"base": str(REPOSITORY / "tests/demo/detector"), "epochs": 1}
    experiments = config["splits"]["experiments"]
    for task, medium, small in (("diptera_family", 90, 60), ("insect_order", 150, 100)):
        experiments[f"medium_{task}"]["images"] = medium
        experiments[f"small_{task}"]["images"] = small
    steps = {"learning_rate_decay": "steps", "learning_rate_steps": [1]}
    config["classifier"]["training"] |= {"epochs": 2, **steps}
    config["classifier"]["overrides"] = {}
    for backbone in config["classifier"]["backbones"].values():
        backbone["normalisation"] = {"mean": [0.7, 0.7, 0.7], "std": [0.2, 0.2, 0.2]}  # nothing to measure
    for key in ("trials", "seeds"):
        config["classifier"][key] = {name: config["classifier"][key][name] for name in TRIED}
    config["classifier"]["original_vs_cropped"] |= {
        "enabled": True,
        "experiments": {"small_insect_order": {"epochs": 1}},
    }
    return config


def smallest_run(folder: Path, chunks: int | None = None) -> Path:
    """A folder with small data of some or all chunks, in which every rule is to run once."""
    make_small_data(folder)
    manifest = folder / "chunks.tsv"
    rows = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(rows[: None if chunks is None else 1 + chunks]))
    write_config(folder, smallest_config())
    return folder


def smallest_config() -> dict[str, Any]:
    """One experiment with one trial, so that every rule runs once; on a cluster with copies of images, on the CPU."""
    config = small_config() | {"scratch": "$SLURM_TMPDIR", "cpu_instead_of_gpu": True}
    classifier = config["classifier"]
    classifier["trials"], classifier["seeds"] = {EXPERIMENT: ["resnet50_ce"]}, {EXPERIMENT: [1]}
    classifier["original_vs_cropped"]["enabled"] = False
    config["inference"]["experiments"] = [EXPERIMENT]
    return config


def compared_results(run: Path) -> dict[str, str]:
    """Name -> SHA-256 of each result that is to be equal in all runs of one config."""
    files = sorted(path for path in (run / "results").rglob("*") if path.is_file())
    names = (path.relative_to(run) for path in files)
    return {str(name): file_digest(run / name) for name in names if not NOT_COMPARED & set(name.parts)}


def quarantined(run: Path, chunk: str) -> set[str]:
    """The images of a chunk that could not be used."""
    table = pd.read_csv(run / f"results/quarantine/part{chunk}.tsv", sep="\t")
    assert list(table.columns) == ["image_file", "stage", "reason"]
    return set(table["image_file"])
