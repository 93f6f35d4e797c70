"""The audit: it compares every file under results/ and data/ with the record of the job that made it.

| file | state |
|---|---|
| not there | *removed* if it is temporary, or gone with its record and unused; *superseded*; or *missing* |
| other bytes than in its record | *changed* |
| the bytes of its record | *superseded*, *stale*, *not in this run*, *other parameters than today's*, |
| | *other code than today's*, *made by earlier code, accepted*; or *intact* |
| without a record | *orphan* |

Of the states in a row the first that applies counts. A file is superseded when a later job put all of its content into
other files, stale when an input that would make its job run again has other bytes today, not in this run when no target
asks for it any more, as after a chunk was removed. Its parameters are compared with today's plan where there is one. It
is of other code when today's code of its rule is not the code that made it and nobody accepted that
(update.py).

A record that cannot be read is an *unreadable record*; one that was edited, or that is older than the one that the
ledger has under its name, is a *changed record*. A sealed copy replaces a record that is lost or cannot be used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bioscan1m.audit.file_digests import digests_today
from bioscan1m.jobs.code_digest import SCRIPTS, code_digest
from bioscan1m.jobs.ledger import HEAD, LEDGER, Ledger, is_new, read_ledger
from bioscan1m.jobs.planned import JobPlan, other_parameters, short
from bioscan1m.jobs.records import RECORDS, EditedRecordError, Record, by_output, parse_record
from bioscan1m.jobs.signatures import signature_fault

INTACT, CHANGED, MISSING, REMOVED, STALE, OTHER_CODE, ORPHAN, SUPERSEDED = (
    "intact",
    "changed",
    "missing",
    "removed",
    "stale",
    "other code than today's",
    "orphan",
    "superseded",
)
OTHER_PARAMETERS, NOT_IN_RUN = "other parameters than today's", "not in this run"
ACCEPTED = "made by earlier code, accepted"
UNREADABLE, CHANGED_RECORD = "unreadable record", "changed record"
# The audit fails on these.
FAULTS = (CHANGED, MISSING, UNREADABLE, CHANGED_RECORD)
FOLDERS = ("data", "results")
# The records themselves, and what is written after the audit, need no record.
NOT_AUDITED = ("results/provenance", "results/report.html", "results/ro-crate", "results/bench")


@dataclass(frozen=True)
class Finding:
    """The state of one file: its path, the state, the rule that made it and why the state is not intact."""

    path: str
    state: str
    rule: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Evidence:
    """The records of a run that count, the faults of the others, the ledger, and sealed records of removed files."""

    records: list[Record]
    faults: list[Finding]
    ledger: Ledger
    removed: list[Record]  # sealed, but gone with all of their outputs


@dataclass(frozen=True)
class _Run:
    """A run as it is today: path -> digest of each file that is there, path -> its heirs if it is superseded."""

    digests: dict[str, str]
    superseded: dict[str, str]
    ledger: Ledger
    plan: JobPlan | None


def audit(
    run: str | Path, share: float = 1.0, paths: Iterable[str] | None = None, plan: JobPlan | None = None
) -> list[Finding]:
    """Check the files of a run.

    Args:
        run: its folder.
        share: fraction of the files to hash, drawn at random. The others are hashed only if their size or the time of
            their last change differs from the record.
        paths: files to check, relative to the run; they are hashed, their inputs are not. None checks all.
        plan: today's plan. Without it parameters are not compared.

    Returns:
        The findings, sorted by path.
    """
    run = Path(run)
    evidence, present = read_evidence(run), _files(run)
    made, wanted = by_output(evidence.records), None if paths is None else set(paths)
    digests = digests_today(
        run,
        records=evidence.records,
        present=present,
        share=share if wanted is None else 0.0,
        hashed=wanted or set(),
    )
    today = _Run(digests, _superseded(evidence.records), evidence.ledger, plan)
    findings = [_judge(path, record, file["sha256"], today) for path, (record, file) in made.items()]
    findings += [_orphan(path, today) for path in present if path not in made]
    findings += [finding for finding in _gone(evidence) if finding.path not in made]
    findings = sorted([*findings, *evidence.faults], key=lambda finding: finding.path)
    return findings if wanted is None else [finding for finding in findings if finding.path in wanted]


def _gone(evidence: Evidence) -> Iterator[Finding]:
    """The files that are gone together with their record, as those of a failed job; jobs may have used some."""
    users = {file["path"]: record.rule for record in evidence.records for file in record.inputs}
    for record in evidence.removed:
        for path in (file["path"] for file in record.outputs):
            if path in users:
                yield Finding(path, MISSING, record.rule, f"gone with its record, but {users[path]} has used it")
            else:
                yield Finding(path, REMOVED, record.rule, "gone with its record")


def count_states(findings: list[Finding]) -> dict[str, int]:
    """The number of files in each state that occurs, most frequent first."""
    return dict(Counter(finding.state for finding in findings).most_common())


def read_evidence(run: Path) -> Evidence:
    """Read the records and the ledger of a run folder, and compare them."""
    ledger = read_ledger(run / LEDGER, run / HEAD)
    faults = [Finding(LEDGER, CHANGED, detail=fault) for fault in ledger.faults]
    if unsigned := signature_fault(run / LEDGER):
        faults.append(Finding(f"{LEDGER}.sig", CHANGED, detail=unsigned))
    records, spoilt = _read_records(run)
    spoilt |= {record.path: fault for record in records if (fault := _fault_of_record(record, ledger))}
    sound = {record.path: record for record in records if record.path not in spoilt}
    counted, removed = list(sound.values()), []
    for path in (path for path in ledger.newest if path not in sound):
        sealed = ledger.newest[path].parsed()
        if path in spoilt or any((run / file["path"]).is_file() for file in sealed.outputs):
            counted.append(sealed)
            lost = f"sealed on {ledger.newest[path].sealed}, and not there any more"
            spoilt.setdefault(path, Finding(path, MISSING, detail=lost))
        else:
            removed.append(sealed)
    return Evidence(counted, [*faults, *spoilt.values()], ledger, removed)


def read_sound_records(run: str | Path) -> list[Record]:
    """The records of a run that nobody edited, for the ledger."""
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
    """Why a record is not the newest under its path; None where it is, or where none was sealed there."""
    newest = ledger.newest.get(record.path)
    if newest is None or newest.sha256 == record.sha256 or is_new(record, ledger):
        return None
    older = ledger.places.get((record.path, record.sha256))
    what = f"sealed on {older.sealed}, and replaced since" if older else "not what was sealed, and no younger than that"
    return Finding(record.path, CHANGED_RECORD, record.rule, what)


def _judge(path: str, record: Record, sha256: str, run: _Run) -> Finding:
    """The state of a file of which a record names these bytes."""
    found = run.digests.get(path)
    if found is None:
        return _judge_absent(path, record, run)
    if found == sha256:
        return _judge_unchanged(path, record, run)
    detail = f"SHA-256 is {found}, in the record {sha256}{_history(path, found, run.ledger)}"
    return Finding(path, CHANGED, record.rule, detail)


def _judge_absent(path: str, record: Record, run: _Run) -> Finding:
    if record.parameters.get("temporary"):
        return Finding(path, REMOVED, record.rule, "temporary by the config: fetched again when it is needed")
    if path in run.superseded:
        return _superseded_finding(path, record, run)
    return Finding(path, MISSING, record.rule, "the record names it, but it is not there")


def _judge_unchanged(path: str, record: Record, run: _Run) -> Finding:
    if path in run.superseded:
        return _superseded_finding(path, record, run)
    if changed := _changed_inputs(record, run.digests):
        return Finding(path, STALE, record.rule, f"made from other bytes of {', '.join(changed)}")
    return _judge_plan(path, record, run.plan) or _judge_code(path, record, run.ledger)


def _judge_plan(path: str, record: Record, plan: JobPlan | None) -> Finding | None:
    """What a file with the bytes of its record is by today's plan; None where its job is planned as it was made."""
    if plan is None:
        return None
    job = plan.jobs.get(record.path)
    if job is None or not job.in_run:
        return Finding(path, NOT_IN_RUN, record.rule, "no target of today's config asks for it")
    if other := other_parameters(record, job):
        listed = "; ".join(f"{one.name}: made by {short(one.found)}, today {short(one.planned)}" for one in other)
        return Finding(path, OTHER_PARAMETERS, record.rule, listed)
    return None


def _superseded_finding(path: str, record: Record, run: _Run) -> Finding:
    return Finding(path, SUPERSEDED, record.rule, f"all that is in it is in {run.superseded[path]} too")


def _judge_code(path: str, record: Record, ledger: Ledger) -> Finding:
    """The state of a file that is current, by the code that made it."""
    rule, code = record.rule, record.content["code"]
    today = code_today(code)
    if code == today:
        return Finding(path, INTACT, rule)
    decision = ledger.acceptance_of(record, today)
    if decision is None:
        return Finding(path, OTHER_CODE, rule, f"made by {code}, today's code is {today or 'gone'}")
    reason = f"accepted for {today} by {decision.who} on {decision.when}: {decision.why}"
    return Finding(path, ACCEPTED, rule, f"made by {code}, {reason}")


def _changed_inputs(record: Record, digests: dict[str, str]) -> list[str]:
    """The inputs that have other bytes today, of those for which the job would run again."""
    watched = (file for file in record.inputs if not file.get("ancient"))
    return [file["path"] for file in watched if digests.get(file["path"], file["sha256"]) != file["sha256"]]


def _orphan(path: str, run: _Run) -> Finding:
    return Finding(path, ORPHAN, detail=f"no record names it{_history(path, run.digests[path], run.ledger)}")


def _history(path: str, digest: str, ledger: Ledger) -> str:
    """The end of a message: when the ledger sealed an earlier file with these bytes; empty if it never did."""
    entry = ledger.maker_of(path, digest)
    return f"; the bytes are those of an earlier job, sealed on {entry.sealed}" if entry else ""


def _superseded(records: list[Record]) -> dict[str, str]:
    """Output -> the later outputs of its rule that have all of its inputs, for rules with the parameter `supersedes`.

    So the zip of the chunks 101-113 is superseded by that of the chunks 101-120.
    """
    joins = [record for record in records if record.parameters.get("supersedes")]
    latest: dict[tuple[str, str], Record] = {}  # by rule and input
    for record in sorted(joins, key=lambda record: record.ended):
        latest |= {(record.rule, file["path"]): record for file in record.inputs}
    superseded: dict[str, str] = {}
    for record in joins:
        heirs = {heir.path: heir for heir in (latest[record.rule, file["path"]] for file in record.inputs)}
        if record.path not in heirs:
            names = ", ".join(sorted(file["path"] for heir in heirs.values() for file in heir.outputs))
            superseded |= {file["path"]: names for file in record.outputs}
    return superseded


def code_today(code: str) -> str:
    """Today's digest of the script that a code digest names; empty where the script is gone."""
    script = code.split(":")[0]
    return code_digest(script) if (SCRIPTS / f"{script}.py").is_file() else ""


def _files(run: Path) -> list[str]:
    """The files that should have a record, as paths relative to the run; broken links are among them."""
    found = (path for folder in FOLDERS for path in (run / folder).rglob("[!.]*"))
    names = sorted(path.relative_to(run) for path in found if path.is_file() or path.is_symlink())
    return [name.as_posix() for name in names if not any(map(name.is_relative_to, NOT_AUDITED))]
