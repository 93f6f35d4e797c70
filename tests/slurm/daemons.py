"""Daemons that live as long as a test needs them and never longer than it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS_TO_START = 180
SECONDS_TO_STOP = 60


@contextmanager
def daemon(command: list[str], output: Path) -> Iterator[None]:
    """Run a command, its output in a file; the system ends it as well if the test is killed."""
    with output.open("w") as file:
        ends_with_us = ["setpriv", "--pdeathsig", "TERM", *command]
        process = subprocess.Popen(ends_with_us, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], bool], otherwise: str, seconds: float = SECONDS_TO_START) -> None:
    """Ask until a condition holds; after so many seconds TimeoutError says what came in its place."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.2)
