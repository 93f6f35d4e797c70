"""The state of an unfinished training, from which a job that was killed continues.

It is saved after each epoch (of short ones after some, so that saving takes little of the time), within an epoch after
ten minutes, and when the job is asked to end. On the CPU the result is that of a training that was not killed, to the
bit; on a GPU as far as its algorithms allow.

On a cluster with short jobs a training takes many attempts. One that ended before it saved a state ends those after it.

The file lies beside the model that is being trained and is no output of the rule: Snakemake removes outputs before an
attempt. It has the recipe of its training; with another recipe it is ignored. It is removed in the end.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from bioscan1m.foundation.atomic import write_aside, write_text
from bioscan1m.foundation.errors import InputError

logger = logging.getLogger(__name__)

FREE_ATTEMPTS = 2  # of a call: the second has more memory, which may be what the first lacked
SECONDS_BETWEEN_SAVES = 600.0  # so much work a job loses that is killed without notice
LARGEST_SHARE = 1 / 20  # of the time, for saving after short epochs; saving within a second does not count
# SLURM sends SIGTERM at a job's time limit, or as it cancels or preempts the job, and kills it KillWait (30 s) later.
# SIGUSR1 is what users let it send earlier (--signal).
SIGNALS_OF_THE_END = (signal.SIGTERM, signal.SIGUSR1)

# Tensors and plain values (state dicts, numbers, lists) by name.
State = dict[str, Any]


def ignore_signals_of_the_end() -> None:
    """For a process beside the one that saves the state: a scheduler sends these signals to all processes of a job."""
    for number in SIGNALS_OF_THE_END:
        signal.signal(number, signal.SIG_IGN)


class TrainingState:
    """The file of one training's state; `recipe` is a text that is equal where a training would go the same way."""

    def __init__(self, path: str | Path, recipe: str, seconds: float = SECONDS_BETWEEN_SAVES) -> None:
        """Name the file.

        Args:
            path: of the file, which need not exist.
            recipe: as above.
            seconds: between two states of an epoch.
        """
        self._path, self._recipe, self._seconds = Path(path), recipe, seconds
        self._marker = self._path.with_name(f"{self._path.name}.attempt")
        self._saved, self._took, self._signal = time.monotonic(), 0.0, ""

    def begin_attempt(self, attempt: int) -> None:
        """Note what is saved as an attempt begins, which is the first, second, ... of a call of Snakemake.

        Raises InputError from the third on where the attempt before saved nothing, so that this one would not either.
        """
        saved = str(self._path.stat().st_mtime_ns if self._path.exists() else 0)
        if attempt > FREE_ATTEMPTS and self._marker.exists() and self._marker.read_text() == saved:
            raise InputError(
                f"{self._path}: attempt {attempt - 1} ended before it had learned anything more, so no other is made. "
                "Either the time of the job is too short to load the data and take a few steps: give this rule more "
                "`runtime` under `set-resources` in the profile. Or the job fails: its log and that of the scheduler "
                "have the reason"
            )
        write_text(self._marker, saved)

    @contextmanager
    def noticing_the_end(self) -> Iterator[None]:
        """While the block runs, a signal that the job is to end makes the state due, in place of ending the process."""

        def note(number: int, _: object) -> None:
            self._signal = signal.Signals(number).name

        earlier = {number: signal.signal(number, note) for number in SIGNALS_OF_THE_END}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    @property
    def is_due(self) -> bool:
        """Whether it is time to save: some minutes after the last time, or because the job is to end."""
        return bool(self._signal) or time.monotonic() - self._saved >= self._seconds

    @property
    def is_due_after_an_epoch(self) -> bool:
        """Whether to save after an epoch: where that took long the last time, only once in a while."""
        passed = time.monotonic() - self._saved
        return self.is_due or self._took < 1 or self._took <= passed * LARGEST_SHARE

    def end_if_asked(self) -> None:
        """Raise InputError, which ends the job with one line, where a signal came; to be called after `save`."""
        if self._signal:
            raise InputError(
                f"the job was asked to end ({self._signal}), and its training stops here; the next attempt goes on "
                f"from {self._path}"
            )

    def save(self, state: State) -> None:
        """Write a state, which replaces an earlier one at once."""
        began = time.monotonic()
        # To a file that Python opened: by its path torch would not name the reason of the disk's error.
        with write_aside(self._path) as part, part.open("wb") as file:
            torch.save({"recipe": self._recipe, "state": state}, file)
        self._saved = time.monotonic()
        self._took = self._saved - began

    def load(self) -> State | None:
        """The last state, with tensors on the CPU; None where there is none of this recipe that can be read."""
        if not self._path.exists():
            return None
        try:
            saved = torch.load(self._path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises nearly anything on damaged data
            logger.warning("%s: cannot be read (%s); training begins anew", self._path, error)
            return None
        if not isinstance(saved, dict) or saved.get("recipe") != self._recipe:
            logger.info("%s: of a training with other data, settings or code; training begins anew", self._path)
            return None
        return saved["state"]

    def remove(self) -> None:
        """Remove the files: the training is done and its results are written."""
        self._path.unlink(missing_ok=True)
        self._marker.unlink(missing_ok=True)
