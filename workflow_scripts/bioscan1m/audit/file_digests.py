"""What the files of a run are today: hashed, or known by size and time of the last change from a record."""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bioscan1m.audit.run_files import Opening
from bioscan1m.foundation.digests import file_digest
from bioscan1m.jobs.records import Record

NOT_OPENED = "not opened"  # the begin of what stands in place of a digest


def digests_today(
    run: Path,
    records: Iterable[Record],
    present: Iterable[str],
    share: float,
    hashed: Collection[str],
    opening: Opening,
) -> dict[str, str]:
    """Path -> SHA-256 of each file that is there, of those in `present` and of all that records name.

    So are files outside the run: a user's own images, local weights. `share` of the files, and all of `hashed`, are
    hashed; of the others those whose size and time no record has noted. One that cannot be read, or that the audit does
    not open, has the reason in place of its digest; of those outside of the run that are not opened nothing is known.
    """
    described = [file for record in records for file in (*record.inputs, *record.outputs)]
    noted = {(file["path"], file.get("bytes"), file.get("mtime_ns")): file["sha256"] for file in described}
    named, present = {file["path"] for file in described}, set(present)
    digests, waiting = {}, []
    for path in sorted(present | named):
        refusal = opening.refusal(path)
        if refusal:
            if is_inside(path):
                digests[path] = f"{NOT_OPENED} ({refusal})"
            continue
        status = _status(run / path)
        if status is None and path not in present:
            continue
        known = None if status is None else noted.get((path, status.st_size, status.st_mtime_ns))
        if known is None or path in hashed or random.random() < share:
            waiting.append(path)
        else:
            digests[path] = known
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return digests | dict(zip(waiting, pool.map(lambda path: _digest(run / path), waiting), strict=True))


def is_inside(path: str) -> bool:
    """Whether a path is that of a file of a run, as it stands; it may be a link."""
    return not path.startswith("/") and ".." not in path.split("/")


def _status(path: Path) -> os.stat_result | None:
    """The status of a file that is there; None where there is none, or something else."""
    try:
        return path.stat() if path.is_file() else None
    except OSError:
        return None


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        return f"unreadable ({error.strerror})"
