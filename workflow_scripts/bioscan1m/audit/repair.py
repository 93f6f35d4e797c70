"""What the audit finds at fault, made again: the jobs of missing and changed files, and of damaged records."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bioscan1m.audit.evidence import Evidence, read_evidence
from bioscan1m.audit.findings import audit
from bioscan1m.audit.states import FAULTS, Finding
from bioscan1m.foundation.digests import file_digest
from bioscan1m.jobs.planned import JobPlan
from bioscan1m.jobs.records import Record, by_output


@dataclass(frozen=True)
class Repair:
    """The faults of a run by the records of the jobs that make the files again, and those that no job of it mends."""

    jobs: dict[str, list[Finding]]
    others: list[Finding]

    @property
    def records(self) -> list[str]:
        """The records of the jobs, which Snakemake is asked to make again."""
        return list(self.jobs)


def plan_repair(run: Path, plan: JobPlan) -> Repair:
    """Which jobs of today's plan make again what is at fault in a run."""
    evidence = read_evidence(run)
    made = {path: record.path for path, (record, _) in by_output(evidence.records).items()}
    repair = Repair({}, [])
    for finding in (finding for finding in audit(run, plan=plan) if finding.state in FAULTS):
        record = made.get(finding.path, finding.path)  # of a damaged record it is the path itself
        if record in plan.jobs and plan.jobs[record].in_run:
            repair.jobs.setdefault(record, []).append(finding)
        else:
            repair.others.append(finding)
    return repair


def keep_times_of_equal_files(run: Path, before: Evidence, records: Iterable[str]) -> None:
    """Give files that were made again with equal bytes the times that they had, so that nothing follows from them."""
    earlier = {path: file for path, (_, file) in by_output(before.records).items() if "mtime_ns" in file}
    made = {record.path: record for record in read_evidence(run).records}
    again = (file["path"] for record in records if record in made for file in made[record].outputs)
    for path in (path for path in again if path in earlier and (run / path).is_file()):  # a temporary one is gone
        if file_digest(run / path) == earlier[path]["sha256"]:
            os.utime(run / path, ns=(earlier[path]["mtime_ns"],) * 2)


def following_records(records: Sequence[str], evidence: Evidence, plan: JobPlan) -> list[str]:
    """The records, of jobs of today's plan, whose jobs read what these jobs make, directly or by way of others."""
    by_path = {record.path: record for record in evidence.records}
    readers: dict[str, list[Record]] = {}
    for record in evidence.records:
        for file in record.inputs:
            readers.setdefault(file["path"], []).append(record)
    found, waiting = dict.fromkeys(records), list(records)
    while waiting:
        path = waiting.pop()
        made = [path, *(file["path"] for file in by_path[path].outputs)] if path in by_path else [path]
        new = [reader.path for path in made for reader in readers.get(path, ()) if reader.path not in found]
        found |= dict.fromkeys(new)
        waiting += new
    return [path for path in found if path in plan.jobs and plan.jobs[path].in_run]
