"""However the config is edited while a run is killed, the results are at last those of the last config."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from workflow_runs import REPOSITORY, compared_results, small_config, snakemake, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

LIVES = 3  # of a run, before its last
LONGEST_LIFE = 8.0  # seconds, in which the target takes all its steps on a quiet machine
CASES, MANY_CASES = 1, 12
Edit = tuple[int, int]  # the seed of the splits, and the images of the smallest subset


@pytest.fixture(scope="module")
def fresh_results(small_run, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Edit], dict[str, str]]:
    """The results of a run by a config in an empty folder."""

    @cache
    def results(edit: Edit) -> dict[str, str]:
        run = start(small_run.folder, tmp_path_factory.mktemp("fresh"))
        configure(run, edit)
        snakemake_succeeds(run, "splits")
        return compared_results(run)

    return results


def start(small_run: Path, run: Path) -> Path:
    """A folder with the small run's input."""
    shutil.copytree(small_run / "source", run / "source")
    shutil.copy2(small_run / "chunks.tsv", run)
    return run


def configure(run: Path, edit: Edit) -> None:
    config = small_config()
    config["splits"]["seed"], config["splits"]["experiments"]["small_insect_order"]["images"] = edit
    write_config(run, config)


def live_and_die(run: Path, dice: random.Random) -> None:
    """Snakemake runs for a while. Then its process is killed with all its jobs, or alone, so that these end alone."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", str(run)]
    with (run / "output.txt").open("ab") as output:
        process = subprocess.Popen(
            [*command, "--profile", "profiles/demo", "splits"],
            cwd=REPOSITORY,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        process.wait(dice.uniform(2, LONGEST_LIFE))
    except subprocess.TimeoutExpired:
        dice.choice([os.kill, os.killpg])(process.pid, signal.SIGKILL)
        process.wait()
    while is_at_work(process.pid):
        time.sleep(0.05)


def is_at_work(group: int) -> bool:
    """Whether a process of a group is still there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def forget(run: Path, dice: random.Random) -> None:
    """What users do with a run that was killed: unlock it, and perhaps touch its files or lose Snakemake's notes."""
    snakemake(run, "splits", "--unlock")
    match dice.choice(["nothing", "nothing", "touch", "lose"]):
        case "touch":
            snakemake(run, "splits", "--touch")
        case "lose":
            shutil.rmtree(run / ".snakemake/metadata", ignore_errors=True)


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=() if seed < CASES else pytest.mark.slow) for seed in range(MANY_CASES)]
)
def test_the_results_are_those_of_the_last_config(small_run, fresh_results, tmp_path: Path, seed: int) -> None:
    dice, run = random.Random(seed), start(small_run.folder, tmp_path / "run")
    for _ in range(LIVES):
        configure(run, (dice.choice([1, 2]), dice.choice([100, 120])))
        live_and_die(run, dice)
        last = (dice.choice([1, 2]), dice.choice([100, 120]))
        configure(run, last)
        forget(run, dice)
    snakemake_succeeds(run, "splits")
    assert compared_results(run) == fresh_results(last), (run / "output.txt").read_text()[-6000:]
