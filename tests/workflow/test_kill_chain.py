"""The whole run is killed again and again, at random moments, until it ends: nothing is lost and nothing differs."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workflow_runs import REPOSITORY, compared_results, snakemake_succeeds

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

KILLS = 50
# A life lasts until so many jobs have ended, and then for so many seconds: in the middle of whatever comes next.
MOST_JOBS, MOST_SECONDS = 1, 6.0
LONGEST_LIFE = 600.0  # seconds, for a machine that is busy with other things


def finished_jobs(run: Path) -> int:
    """A job's record is written last: it means done."""
    return len(list((run / "results/provenance/records").glob("*/*.json")))


def start(run: Path) -> subprocess.Popen[bytes]:
    """Snakemake with all its jobs in a process group of its own."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", str(run)]
    with (run / "output.txt").open("ab") as output:
        return subprocess.Popen(
            [*command, "--profile", "profiles/demo", "all"],
            cwd=REPOSITORY,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def live_and_die(run: Path, moments: random.Random) -> bool:
    """Go on with the run and kill it at a random moment; whether it came to its end before."""
    process = start(run)
    enough = finished_jobs(run) + moments.randint(0, MOST_JOBS)
    deadline = time.monotonic() + LONGEST_LIFE
    while finished_jobs(run) < enough and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        status = process.wait(moments.uniform(0, MOST_SECONDS))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    assert status == 0, (run / "output.txt").read_text()[-6000:]
    return True


def go_on_until_the_end(run: Path, moments: random.Random, most_kills: int) -> int:
    """Kill, restart, kill again, as the README says what to do after a kill; returns the number of kills."""
    for kills in range(most_kills):
        if live_and_die(run, moments):
            return kills
        if list((run / ".snakemake/locks").glob("*")):
            snakemake_succeeds(run, "--unlock")
    snakemake_succeeds(run, "all")
    return most_kills


def test_fifty_kills_at_random_moments_change_nothing(smallest_finished_run: Path, tmp_path: Path) -> None:
    moments, kills, expected = random.Random(20231), 0, compared_results(smallest_finished_run)
    while kills < KILLS:
        run = tmp_path / f"after {kills} kills"
        run.mkdir()
        shutil.copytree(smallest_finished_run / "source", run / "source")
        for name in ("config.yaml", "chunks.tsv"):
            shutil.copy(smallest_finished_run / name, run)
        kills += go_on_until_the_end(run, moments, KILLS - kills)
        found = compared_results(run)
        assert sorted(found) == sorted(expected), (run / "output.txt").read_text()[-6000:]
        assert [name for name in expected if found[name] != expected[name]] == []
        left = [path.name for path in run.rglob("*") if ".part" in path.suffixes or path.suffix == ".unfinished"]
        assert left == [] and list((run / ".snakemake/locks").glob("*")) == []
        snakemake_succeeds(run, "audit")
        counts = json.loads((run / "results/provenance/audit.json").read_text())
        assert counts["intact"] == counts["files"]
