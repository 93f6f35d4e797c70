"""The audit: every file under results/ and data/ is held against the record of the job that made it.

A file is *intact* when its bytes are those that its record names, *changed* or *missing* when they are not, *stale*
when one of its inputs has other bytes today than the record says, *other code* when today's code of its rule is not the
code that made it, and an *orphan* when no record names it. A temporary file that is gone is *removed*, as the config
says. A record that cannot be read is *unreadable*.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan1m.code_digest import SCRIPTS, code_digest
from bioscan1m.provenance import file_digest, read_record

INTACT, CHANGED, MISSING, REMOVED, STALE, OTHER_CODE, ORPHAN, UNREADABLE = (
    "intact",
    "changed",
    "missing",
    "removed",
    "stale",
    "other code",
    "orphan",
    "unreadable record",
)
# What a job cannot have meant to leave: the audit fails on these.
FAULTS = (CHANGED, MISSING, UNREADABLE)
FOLDERS = ("data", "results")
# The records themselves, and what is written after the audit, need no record.
NOT_AUDITED = ("results/provenance", "results/report.html", "results/ro-crate", "results/bench")


@dataclass(frozen=True)
class Finding:
    """What the audit says of one file: its path, its state, the rule that made it and why the state is not intact."""

    path: str
    state: str
    rule: str = ""
    detail: str = ""


def audit(run: str | Path, records: str | Path) -> list[Finding]:
    """Check every file of the run folder `run`, sorted by path; `records` is the folder of records below it.

    Files are hashed on all cores.
    """
    run = Path(run)
    known, unreadable = _read_records(run, records)
    made = {file["path"]: (record, file) for record in known for file in record["outputs"]}
    present = _files(run)
    digests = _digests(run, sorted({*present, *_named_files(known, run)}))
    findings = [_judge(path, *made[path], digests) for path in made]
    orphans = [Finding(path, ORPHAN, detail="no record names it") for path in present if path not in made]
    return sorted([*findings, *orphans, *unreadable], key=lambda finding: finding.path)


def summarise(findings: list[Finding]) -> dict[str, int]:
    """The number of files in each state, those that occur, most frequent first."""
    return dict(Counter(finding.state for finding in findings).most_common())


def _judge(path: str, record: dict[str, Any], file: dict[str, Any], digests: dict[str, str]) -> Finding:
    rule = record["rule"]
    if path not in digests and record["parameters"].get("temporary"):
        return Finding(path, REMOVED, rule, "temporary by the config: fetched again when it is needed")
    if path not in digests:
        return Finding(path, MISSING, rule, "the record names it, but it is not there")
    if digests[path] != file["sha256"]:
        return Finding(path, CHANGED, rule, f"SHA-256 is {digests[path]}, the record says {file['sha256']}")
    changed = [i["path"] for i in record["inputs"] if i["path"] in digests and digests[i["path"]] != i["sha256"]]
    if changed:
        return Finding(path, STALE, rule, f"made from other bytes of {', '.join(changed)}")
    code, today = record["code"], _code_today(record["code"])
    if code != today:
        return Finding(path, OTHER_CODE, rule, f"made by {code}, today's code is {today}")
    return Finding(path, INTACT, rule)


def _code_today(code: str) -> str:
    """The digest of today's form of the script that a record's code digest names."""
    script = code.split(":")[0]
    return code_digest(script) if (SCRIPTS / f"{script}.py").is_file() else "gone"


def _read_records(run: Path, folder: str | Path) -> tuple[list[dict[str, Any]], list[Finding]]:
    """All records, and a finding for each that cannot be read."""
    records, unreadable = [], []
    for path in sorted((run / folder).rglob("*.json")):
        try:
            record = read_record(path)
            _try_all_that_is_needed(record)
            records.append(record)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}"
            unreadable.append(Finding(path.relative_to(run).as_posix(), UNREADABLE, detail=reason))
    return records, unreadable


def _try_all_that_is_needed(record: dict[str, Any]) -> None:
    """Read what the audit reads of a record, so that a damaged one fails here, where it is named."""
    str(record["rule"]), record["code"].split(":"), record["parameters"].get("temporary")
    for file in (*record["inputs"], *record["outputs"]):
        Path(file["path"]), file["sha256"]


def _files(run: Path) -> list[str]:
    """The files that should have a record, as paths relative to the run."""
    files = (path for folder in FOLDERS for path in (run / folder).rglob("[!.]*") if path.is_file())
    names = sorted(path.relative_to(run) for path in files)
    return [name.as_posix() for name in names if not any(map(name.is_relative_to, NOT_AUDITED))]


def _named_files(records: list[dict[str, Any]], run: Path) -> set[str]:
    """The files of all records that are there, also outside the audited folders: a user's own images, local weights."""
    named = {file["path"] for record in records for file in (*record["inputs"], *record["outputs"])}
    return {path for path in named if (run / path).is_file()}


def _digests(run: Path, paths: list[str]) -> dict[str, str]:
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return dict(zip(paths, pool.map(lambda path: file_digest(run / path), paths), strict=True))
