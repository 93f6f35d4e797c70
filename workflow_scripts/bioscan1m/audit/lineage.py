"""What a file was made from, job by job, back to the sources that were fetched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bioscan1m.jobs.ledger import Ledger
from bioscan1m.jobs.records import Record, by_output


def jobs_behind(job: Record, records: Iterable[Record]) -> list[Record]:
    """The record of a job, those of the jobs that made its inputs, and so on; nearest first."""
    made = by_output(records)
    found = {job.path: job}
    waiting = [file["path"] for file in job.inputs]
    while waiting:
        nearest = {made[name][0].path: made[name][0] for name in waiting if name in made}
        new = {path: record for path, record in nearest.items() if path not in found}
        found |= new
        waiting = [file["path"] for record in new.values() for file in record.inputs]
    return list(found.values())


def sources_behind(jobs: Iterable[Record], ledger: Ledger) -> list[dict[str, Any]]:
    """Every file that jobs fetched: path, source, published checksum (or None), SHA-256 at the first fetch.

    The ledger has the first fetch of a file that was fetched more than once.
    """
    first: dict[str, str] = {}
    for entry in ledger.records:
        for file in entry.parsed().outputs if "/fetch_" in entry.record else ():
            first.setdefault(file["path"], file["sha256"])
    fetched = [(job, file) for job in jobs if job.rule.startswith("fetch_") for file in job.outputs]
    return [
        {"path": file["path"], **_address(job), "sha256": first.get(file["path"], file["sha256"])}
        for job, file in fetched
    ]


def _address(job: Record) -> dict[str, Any]:
    """Source and published checksum by the parameters of a job that fetches; None where they have none."""
    source = job.parameters.get("source") or job.parameters.get("backbone")
    if isinstance(source, dict) and "source" in source:
        return {"source": source["source"], "checksum": source.get("checksum")}
    return {"source": source["weights"] if isinstance(source, dict) else source, "checksum": None}
