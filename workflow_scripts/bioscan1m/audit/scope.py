"""What of a run an audit covers: all of it, some files, or what changed since a time."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bioscan1m.audit.evidence import AFTER_SEALING
from bioscan1m.audit.states import FAULTS, Finding
from bioscan1m.jobs.records import RECORDS, Made

# Where files of the rules AFTER_SEALING are, which may be at work beside an audit that is a job.
WRITTEN_MEANWHILE = ("results/provenance/", "results/ro-crate/")


@dataclass(frozen=True)
class Scope:
    """What of a run an audit covers.

    `share` is the fraction of the files to hash, drawn at random; the others are hashed only if their size or the time
    of their last change differs from the record. `paths` are files to check, relative to the run; they are hashed,
    their inputs are not; None checks all. `since` is a time in seconds: files that changed later are hashed, and
    what is older and without fault is left out. `in_call` is true of the audit that is a job of a call of Snakemake.
    """

    share: float = 1.0
    paths: Collection[str] | None = None
    since: float | None = None
    in_call: bool = False


WHOLE = Scope()


def changed_since(run: Path, present: Iterable[str], since: float | None) -> set[str]:
    """The files that were written, or got another name or time, after a time."""
    if since is None:
        return set()
    times = ((path, os.lstat(run / path)) for path in present)
    return {path for path, status in times if max(status.st_mtime, status.st_ctime) >= since}


def is_covered(finding: Finding, scope: Scope, changed: Collection[str], made: Made) -> bool:
    """Whether a finding belongs to what an audit covers; `changed` are the files written since its time."""
    if scope.in_call and finding.path.startswith(WRITTEN_MEANWHILE) and _is_after_sealing(finding):
        return False
    if scope.paths is not None:
        return finding.path in scope.paths
    if scope.since is None or finding.path in changed or finding.state in FAULTS:
        return True
    return finding.path in made and _seconds(made[finding.path][0].ended) >= scope.since


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() if time else 0.0


def _is_after_sealing(finding: Finding) -> bool:
    folders = tuple(f"{RECORDS}/{rule}/" for rule in AFTER_SEALING)
    return finding.rule in AFTER_SEALING or finding.path.startswith(folders)
