"""The audit: every file under results/ and data/ is held against the record of the job that made it.

A file is *intact* when its bytes are those that its record names, *changed* or *missing* when they are not, *stale*
when an input that would make its job run again has other bytes today than the record says, *other code* when today's
code of its rule is not the code that made it, *superseded* when a later job put all that is in it into other files, and
an *orphan* when no record names it. A temporary file that is gone is *removed*, as is one that went with its record
and that no other job has used. A record that cannot be read is *unreadable*; one that was edited, or is older than what
the ledger has under its name, is a *changed record*. Where a record is lost or spoilt, its sealed copy takes its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan1m.provenance.code_digest import SCRIPTS, code_digest
from bioscan1m.provenance.file_digests import digests_today
from bioscan1m.provenance.ledger import HEAD, LEDGER, Ledger, is_new, read_ledger
from bioscan1m.provenance.records import RECORDS, EditedRecordError, Record, by_output, parse_record
from bioscan1m.provenance.signatures import signature_fault

INTACT, CHANGED, MISSING, REMOVED, STALE, OTHER_CODE, ORPHAN, SUPERSEDED = (
    "intact",
    "changed",
    "missing",
    "removed",
    "stale",
    "other code",
    "orphan",
    "superseded",
)
UNREADABLE, CHANGED_RECORD = "unreadable record", "changed record"
# What a job cannot have meant to leave: the audit fails on these.
FAULTS = (CHANGED, MISSING, UNREADABLE, CHANGED_RECORD)
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


@dataclass(frozen=True)
class Evidence:
    """What is known of a run: the records that count, those that do not, and the ledger."""

    records: list[Record]
    faults: list[Finding]
    ledger: Ledger
    removed: list[Record]  # sealed, but gone with all that they name


def audit(run: str | Path, share: float = 1.0, paths: Iterable[str] | None = None) -> list[Finding]:
    """Check every file of the run folder `run`, or those of `paths` (relative to it) alone; sorted by path.

    `share` of the files are hashed, on all cores, drawn by chance; of the others size and time of the last change are
    compared, and only where these are not those of the record, they are hashed. With `paths` these are hashed, and
    what they were made from is not.
    """
    run = Path(run)
    evidence = read_evidence(run)
    made, outdated = by_output(evidence.records), _superseded(evidence.records)
    present = _files(run)
    wanted = None if paths is None else set(paths)
    digests = digests_today(run, evidence.records, present, share if wanted is None else 0.0, wanted or set())
    findings = [_judge(path, *made[path], digests, outdated, evidence.ledger) for path in made]
    findings += [_orphan(path, digests, evidence.ledger) for path in present if path not in made]
    findings += [finding for finding in _gone(evidence) if finding.path not in made]
    findings = sorted([*findings, *evidence.faults], key=lambda finding: finding.path)
    return findings if wanted is None else [finding for finding in findings if finding.path in wanted]


def _gone(evidence: Evidence) -> Iterator[Finding]:
    """The files that went with their record, as those of a failed job; some may have been used before."""
    users = {file["path"]: record.rule for record in evidence.records for file in record.inputs}
    for record in evidence.removed:
        for path in (file["path"] for file in record.outputs):
            if path in users:
                yield Finding(path, MISSING, record.rule, f"gone with its record, but {users[path]} has used it")
            else:
                yield Finding(path, REMOVED, record.rule, "gone with its record")


def summarise(findings: list[Finding]) -> dict[str, int]:
    """The number of files in each state, those that occur, most frequent first."""
    return dict(Counter(finding.state for finding in findings).most_common())


def read_evidence(run: Path) -> Evidence:
    """Read the records and the ledger of a run folder, and hold the ones against the other."""
    ledger = read_ledger(run / LEDGER, run / HEAD)
    faults = [Finding(LEDGER, CHANGED, detail=fault) for fault in ledger.faults]
    if unsigned := signature_fault(run / LEDGER):
        faults.append(Finding(f"{LEDGER}.sig", CHANGED, detail=unsigned))
    records, spoilt = _read_records(run)
    for record in records:
        if fault := _fault_of_record(record, ledger):
            spoilt[record.path] = fault
    records = [record for record in records if record.path not in spoilt]
    known, removed = {record.path for record in records}, []
    for path, entry in ledger.newest.items():
        if path in known:
            continue
        sealed = entry.parsed()
        if path in spoilt or any((run / file["path"]).is_file() for file in sealed.outputs):
            records.append(sealed)
            spoilt.setdefault(path, Finding(path, MISSING, detail=f"sealed on {entry.sealed}, and not there any more"))
        else:
            removed.append(sealed)
    return Evidence(records, [*faults, *spoilt.values()], ledger, removed)


def read_sound_records(run: str | Path) -> list[Record]:
    """The records of a run that are as their jobs wrote them, for the ledger."""
    return _read_records(Path(run))[0]


def _read_records(run: Path) -> tuple[list[Record], dict[str, Finding]]:
    """All records, and by path a finding for each that cannot be used."""
    records, spoilt = [], {}
    for file in sorted((run / RECORDS).rglob("*.json")):
        path = file.relative_to(run).as_posix()
        try:
            records.append(parse_record(path, file.read_bytes()))
        except EditedRecordError as error:
            spoilt[path] = Finding(path, CHANGED_RECORD, detail=str(error))
        except (OSError, ValueError) as error:
            spoilt[path] = Finding(path, UNREADABLE, detail=str(error))
    return records, spoilt


def _fault_of_record(record: Record, ledger: Ledger) -> Finding | None:
    """What is wrong with a record that was sealed, or stands in the place of one that was."""
    newest = ledger.newest.get(record.path)
    if newest is None or newest.sha256 == record.sha256 or is_new(record, ledger):
        return None
    older = ledger.places.get((record.path, record.sha256))
    what = f"sealed on {older.sealed}, and replaced since" if older else "not what was sealed, and no younger than that"
    return Finding(record.path, CHANGED_RECORD, record.rule, what)


def _judge(
    path: str,
    record: Record,
    file: dict[str, Any],
    digests: dict[str, str],
    outdated: dict[str, str],
    ledger: Ledger,
) -> Finding:
    rule = record.rule
    if path not in digests and record.parameters.get("temporary"):
        return Finding(path, REMOVED, rule, "temporary by the config: fetched again when it is needed")
    if path in outdated and digests.get(path) in (None, file["sha256"]):
        return Finding(path, SUPERSEDED, rule, f"all that is in it is in {outdated[path]} too")
    if path not in digests:
        return Finding(path, MISSING, rule, "the record names it, but it is not there")
    if digests[path] != file["sha256"]:
        older = _history(path, digests[path], ledger)
        return Finding(path, CHANGED, rule, f"SHA-256 is {digests[path]}, the record says {file['sha256']}{older}")
    if changed := _changed_inputs(record, digests):
        return Finding(path, STALE, rule, f"made from other bytes of {', '.join(changed)}")
    code, today = record.content["code"], _code_today(record.content["code"])
    if code != today:
        return Finding(path, OTHER_CODE, rule, f"made by {code}, today's code is {today}")
    return Finding(path, INTACT, rule)


def _changed_inputs(record: Record, digests: dict[str, str]) -> list[str]:
    """The inputs that have other bytes today, of those for which the job would run again."""
    watched = (file for file in record.inputs if not file.get("ancient"))
    return [file["path"] for file in watched if digests.get(file["path"], file["sha256"]) != file["sha256"]]


def _orphan(path: str, digests: dict[str, str], ledger: Ledger) -> Finding:
    return Finding(path, ORPHAN, detail=f"no record names it{_history(path, digests[path], ledger)}")


def _history(path: str, digest: str, ledger: Ledger) -> str:
    """Where the ledger knows a file with these bytes, in words."""
    entry = ledger.maker_of(path, digest)
    return f"; the bytes are those of an earlier job, sealed on {entry.sealed}" if entry else ""


def _superseded(records: list[Record]) -> dict[str, str]:
    """The outputs whose inputs all went into later outputs of their rule, of rules that say so; and into which.

    So a zip of the chunks 101-113 gives way to that of the chunks 101-120.
    """
    joins = [record for record in records if record.parameters.get("supersedes")]
    later: dict[tuple[str, str], Record] = {}
    for record in sorted(joins, key=lambda record: record.ended):
        later |= {(record.rule, file["path"]): record for file in record.inputs}
    outdated = {}
    for record in joins:
        heirs = {later[record.rule, file["path"]].path: later[record.rule, file["path"]] for file in record.inputs}
        if record.path not in heirs:
            names = sorted(file["path"] for heir in heirs.values() for file in heir.outputs)
            outdated |= {file["path"]: ", ".join(names) for file in record.outputs}
    return outdated


def _code_today(code: str) -> str:
    """The digest of today's form of the script that a record's code digest names."""
    script = code.split(":")[0]
    return code_digest(script) if (SCRIPTS / f"{script}.py").is_file() else "gone"


def _files(run: Path) -> list[str]:
    """The files that should have a record, as paths relative to the run; a link that leads nowhere is one too."""
    found = (path for folder in FOLDERS for path in (run / folder).rglob("[!.]*"))
    names = sorted(path.relative_to(run) for path in found if path.is_file() or path.is_symlink())
    return [name.as_posix() for name in names if not any(map(name.is_relative_to, NOT_AUDITED))]
