"""Two runs in one folder, an input that vanishes between two rules, results that nobody may write: told, and mended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from loopback import Request, Server, serving

from workflow_runs import REPOSITORY, small_config, snakemake, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

IMAGE_SET = "SW-60-val"
CLEANED = f"results/annotations/{IMAGE_SET}.json"
FETCHED = f"data/annotations/{IMAGE_SET}.json"
SECONDS_TO_WAIT = 300


class Gate:
    """A web server that holds back a file until it is told to go on."""

    def __init__(self, file: Path) -> None:
        self._data = file.read_bytes()
        self.asked, self.open = threading.Event(), threading.Event()

    def __call__(self, request: Request) -> None:
        self.asked.set()
        self.open.wait(SECONDS_TO_WAIT)
        request.reply(200, self._data)


@pytest.fixture
def gate(small_run) -> Iterator[tuple[Gate, Server]]:
    gate = Gate(small_run / "source/annotated_validation.zip")
    with serving(gate) as server:
        yield gate, server


@pytest.fixture
def run(new_run: Path, gate: tuple[Gate, Server]) -> Path:
    """A new folder in which an image set waits for the images of a server."""
    config = small_config()
    config["fetch"]["timeout"] = SECONDS_TO_WAIT
    config["detector"]["image_sets"][IMAGE_SET]["images"]["source"] = gate[1].address
    write_config(new_run, config)
    return new_run


@contextmanager
def waiting_for_images(run: Path, gate: Gate) -> Iterator[subprocess.Popen[str]]:
    """A run that is in the middle of fetching; it goes on when the block ends."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", str(run)]
    with subprocess.Popen(
        [*command, "--profile", "profiles/demo", CLEANED],
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert gate.asked.wait(SECONDS_TO_WAIT)
        try:
            yield process
        finally:
            gate.open.set()


def test_a_second_run_in_the_same_folder_is_refused_and_the_first_goes_on(run: Path, gate) -> None:
    with waiting_for_images(run, gate[0]) as first:
        second = snakemake(run, CLEANED)
        assert second.returncode != 0
        assert "cannot be locked" in second.stdout and "--unlock" in second.stdout
        gate[0].open.set()
        output, _ = first.communicate()
    assert first.returncode == 0, output
    assert (run / CLEANED).exists()
    assert "Nothing to be done" in snakemake_succeeds(run, CLEANED)


def test_an_input_that_vanishes_between_two_rules_is_told_and_made_again(run: Path, gate) -> None:
    snakemake_succeeds(run, FETCHED)
    with waiting_for_images(run, gate[0]) as first:
        (run / FETCHED).unlink()
        gate[0].open.set()
        output, _ = first.communicate()
    assert first.returncode != 0 and "Traceback" not in output
    assert FETCHED in output
    assert not (run / CLEANED).exists()
    snakemake_succeeds(run, CLEANED)
    assert len(gate[1].requests) == 1  # the images were not lost


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a read-only folder")
def test_results_that_cannot_be_written_are_told_before_anything_is_fetched(run: Path) -> None:
    (run / "results").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(run / "results")]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        done = snakemake(run, "results/metadata/validated.parquet")
    finally:
        subprocess.run(["umount", str(run / "results")], check=True)
    assert done.returncode != 0 and "Traceback" not in done.stdout
    assert "Read-only file system: 'results/" in done.stdout
    snakemake_succeeds(run, "results/metadata/validated.parquet")
