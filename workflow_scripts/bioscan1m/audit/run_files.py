"""The files of a run that its audit looks at, and those that it may open.

A record can name any path, and a link can lead anywhere: opened is what lies in the run, or is a source that the config
names. The folders data/ and results/ may themselves be links to another disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from bioscan1m.foundation.sources import local_path
from bioscan1m.jobs.ledger import HEAD, KEPT_HEAD, LEDGER
from bioscan1m.jobs.planned import JobPlan
from bioscan1m.jobs.records import RECORDS, Record

FOLDERS = ("data", "results")
# The records themselves and what is written around them need no record, nor does what a benchmark leaves.
NOT_AUDITED = (RECORDS, LEDGER, f"{LEDGER}.sig", HEAD, KEPT_HEAD, "results/provenance/ledger.lock", "results/bench")
OF_SNAKEMAKE = ".snakemake_timestamp"  # empty, in folders that are outputs
KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def files_of_run(run: Path) -> list[str]:
    """What should have a record, as paths relative to the run: all but folders, hidden files, links and FIFOs too."""
    found = [path for folder in FOLDERS for path in _below(run / folder)]
    names = (path.relative_to(run).as_posix() for path in found)
    return sorted(name for name in names if not any(name == out or name.startswith(f"{out}/") for out in NOT_AUDITED))


def _below(folder: Path) -> Iterator[Path]:
    """What is in a folder and in those below it, but for folders and what Snakemake leaves there."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in (*names, *links):
            path = Path(place, name)
            if name != OF_SNAKEMAKE or path.is_symlink() or path.stat().st_size:
                yield path


class Opening:
    """What the audit of a run may open."""

    def __init__(self, run: Path, declared: Iterable[str]) -> None:
        self._run = run
        self._roots = [os.path.realpath(place) for place in (run, *(run / folder for folder in FOLDERS))]
        self._roots += [os.path.realpath(run / path) for path in declared]
        self._folder = lru_cache(maxsize=None)(os.path.realpath)

    def refusal(self, path: str) -> str:
        """Why a path is not opened; empty for a plain file in the run or of a declared source, or where none is."""
        place = self._run / path
        try:
            status = place.lstat()
            real = f"{self._folder(place.parent)}/{place.name}"
            if stat.S_ISLNK(status.st_mode):
                real, status = os.path.realpath(place), place.stat()
        except OSError:
            return ""
        if kind := KINDS.get(stat.S_IFMT(status.st_mode)):
            return kind
        if not any(real == root or real.startswith(f"{root}/") for root in self._roots):
            return f"outside of the run, {real}"
        return ""


def declared_sources(plan: JobPlan | None, records: Iterable[Record]) -> set[str]:
    """The paths that the config of a plan names, and its parameters; without a plan, those of the records."""
    values: list[Any] = (
        [record.parameters for record in records]
        if plan is None
        else [plan.config, *(job.parameters for job in plan.jobs.values())]
    )
    places = (local_path(text) for text in _texts(values))
    return {str(place) for place in places if place is not None}


def _texts(values: Iterable[Any]) -> Iterator[str]:
    """The texts within nested values that may be paths or addresses."""
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif isinstance(value, str) and "/" in value and "\0" not in value:
            yield value
