"""A run that was copied without the times of its files, as by `cp -r`, `rsync -r` or `git clone`, made a run again.

Snakemake makes again what is older than its inputs. A copy has new times in the order of copying, so it would make most
files again. Each record has the times that its outputs and inputs had: files with the bytes of their records get these
times back, and then only what differs from its record, or from today's plan, is planned.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path

from bioscan1m.audit.evidence import Evidence
from bioscan1m.audit.file_digests import digests_today, is_inside
from bioscan1m.audit.run_files import Opening
from bioscan1m.jobs.records import Record

SECOND = 10**9  # nanoseconds


def adopt(run: Path, evidence: Evidence) -> list[str]:
    """Give the files of a run, and its records, the times that the records have of them.

    Args:
        run: its folder.
        evidence: its records.

    Returns:
        The files that have other bytes than in their records, which keep their times, in their order.
    """
    described = _described(evidence.records)
    opening = Opening(run, ())
    today = digests_today(run, evidence.records, present=(), share=0.0, hashed=set(described), opening=opening)
    there = {path: file for path, file in described.items() if path in today}
    for path, (sha256, time) in there.items():
        if today[path] == sha256:
            os.utime(run / path, ns=(time, time))
    for record in evidence.records:
        if (run / record.path).is_file():
            time = max((described[file["path"]][1] for file in record.outputs), default=_ended(record))
            os.utime(run / record.path, ns=(time, time))
    return sorted(path for path, (sha256, _) in there.items() if today[path] != sha256)


def _described(records: Collection[Record]) -> dict[str, tuple[str, int]]:
    """Path -> SHA-256 and time of the last change of each file of a run, as the job that made it left it.

    A file that no job made is as the last job that read it found it. Files outside of the run are left out.
    """
    ordered = sorted(records, key=lambda record: record.ended)
    read = _files((record, file) for record in ordered for file in record.inputs)
    made = _files((record, file) for record in ordered for file in record.outputs)
    return {path: file for path, file in (read | made).items() if is_inside(path)}


def _files(described: Iterable[tuple[Record, dict]]) -> dict[str, tuple[str, int]]:
    return {file["path"]: (file["sha256"], file.get("mtime_ns", _ended(record))) for record, file in described}


def _ended(record: Record) -> int:
    """When a job ended, in nanoseconds; records of the first version have no times of files."""
    return int(datetime.fromisoformat(record.ended).timestamp()) * SECOND if record.ended else 0
