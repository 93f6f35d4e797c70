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

Files that no job makes (config, manifest, report) are compared with what the last call of Snakemake left of them in the
ledger: a changed report is *changed*, others are *edited since*. Records are judged in evidence.py and claims.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan1m.audit.claims import refused_claims
from bioscan1m.audit.evidence import Evidence, read_evidence
from bioscan1m.audit.file_digests import NOT_OPENED, digests_today
from bioscan1m.audit.run_files import Opening, declared_sources, files_of_run
from bioscan1m.audit.scope import WHOLE, WRITTEN_MEANWHILE, Scope, changed_since, is_covered
from bioscan1m.audit.states import (
    ACCEPTED,
    CHANGED,
    EDITED,
    INTACT,
    MISSING,
    NOT_IN_RUN,
    NOT_SEALED,
    ORPHAN,
    OTHER_CODE,
    OTHER_PARAMETERS,
    REMOVED,
    STALE,
    SUPERSEDED,
    Finding,
)
from bioscan1m.jobs.code_digest import SCRIPTS, code_digest
from bioscan1m.jobs.ledger import Ledger
from bioscan1m.jobs.planned import JobPlan, other_parameters, short
from bioscan1m.jobs.records import Record, by_output
from bioscan1m.jobs.statements import REPORT


@dataclass(frozen=True)
class _Run:
    """A run as it is today: path -> digest of each file that is there, path -> its heirs if it is superseded."""

    digests: dict[str, str]
    superseded: dict[str, str]
    ledger: Ledger
    plan: JobPlan | None


def audit(
    run: str | Path, scope: Scope = WHOLE, plan: JobPlan | None = None, signers: str | Path | None = None
) -> list[Finding]:
    """Check the files of a run.

    Args:
        run: its folder.
        scope: what to check.
        plan: today's plan. Without it parameters are not compared.
        signers: file of the signers of the ledger that are allowed; without it the plan's config names one, or none.

    Returns:
        The findings, sorted by path.
    """
    run = Path(run)
    evidence = read_evidence(run, signers or signers_of(run, plan))
    present = [path for path in files_of_run(run) if not scope.in_call or not path.startswith(WRITTEN_MEANWHILE)]
    refused = refused_claims(evidence.records, evidence.ledger, plan)
    records = [record for record in evidence.records if record.path not in refused]
    made = by_output(records)
    changed = changed_since(run, present, scope.since)
    digests = digests_today(
        run,
        records=records,
        present=[*present, *evidence.ledger.call_files],
        share=scope.share if scope.paths is None and scope.since is None else 0.0,
        hashed={*(scope.paths or ()), *changed},
        opening=Opening(run, declared_sources(plan, _trusted(records, evidence.ledger))),
    )
    today = _Run(digests, _superseded(records), evidence.ledger, plan)
    findings = [_judge(path, record, file["sha256"], today) for path, (record, file) in made.items()]
    findings += [_judge_call_file(path, file, today) for path, file in evidence.ledger.call_files.items()]
    findings += [_orphan(path, today) for path in present if path not in made and path not in today.ledger.call_files]
    findings += [finding for finding in _gone(evidence) if finding.path not in made]
    findings = sorted([*findings, *_of_records(evidence, refused)], key=lambda finding: finding.path)
    return [finding for finding in findings if is_covered(finding, scope, changed, made)]


def signers_of(run: Path, plan: JobPlan | None) -> Path | None:
    """The file of allowed signers that the config of a plan names."""
    named = plan and plan.config.get("provenance", {}).get("allowed_signers")
    return run / Path(named).expanduser() if named else None


def _of_records(evidence: Evidence, refused: dict[str, Finding]) -> list[Finding]:
    """What there is on records and ledger: a note on a record only where there is no fault of it."""
    faults = [*evidence.faults, *refused.values()]
    at_fault = {finding.path for finding in faults}
    return faults + [note for note in evidence.notes if note.path not in at_fault or note.state != NOT_SEALED]


def _trusted(records: Iterable[Record], ledger: Ledger) -> list[Record]:
    """The sealed records, or all where nothing was sealed yet."""
    return [one for one in records if not ledger.records or (one.path, one.sha256) in ledger.places]


def _gone(evidence: Evidence) -> Iterator[Finding]:
    """The files that are gone together with their record, as those of a failed job; jobs may have used some."""
    users = {file["path"]: record.rule for record in evidence.records for file in record.inputs}
    for record in evidence.removed:
        for path in (file["path"] for file in record.outputs):
            if path in users:
                yield Finding(path, MISSING, record.rule, f"gone with its record, but {users[path]} has used it")
            else:
                yield Finding(path, REMOVED, record.rule, "gone with its record")


def _judge_call_file(path: str, file: dict[str, Any], run: _Run) -> Finding:
    """The state of a file that no job made."""
    found = run.digests.get(path)
    if found == file["sha256"]:
        return Finding(path, INTACT)
    if file["is"] == REPORT:
        what = "it is not the report that Snakemake wrote" if found else "Snakemake wrote one"
        return Finding(path, CHANGED if found else REMOVED, detail=what)
    return Finding(path, EDITED, detail="no call of Snakemake has made anything since")


def _judge(path: str, record: Record, sha256: str, run: _Run) -> Finding:
    """The state of a file of which a record names these bytes."""
    found = run.digests.get(path)
    if found is None:
        return _judge_absent(path, record, run)
    if found == sha256:
        return _judge_unchanged(path, record, run)
    read = not found.startswith(NOT_OPENED)
    detail = f"SHA-256 is {found}, in the record {sha256}{_history(path, found, run.ledger)}" if read else found
    return Finding(path, CHANGED, record.rule, detail)


def _judge_absent(path: str, record: Record, run: _Run) -> Finding:
    if record.parameters.get("temporary") and _may_be_temporary(record, run.plan):
        return Finding(path, REMOVED, record.rule, "temporary by the config: fetched again when it is needed")
    if path in run.superseded:
        return _superseded_finding(path, record, run)
    return Finding(path, MISSING, record.rule, "the record names it, but it is not there")


def _may_be_temporary(record: Record, plan: JobPlan | None) -> bool:
    """Whether the rule of a record knows of temporary files; what a record states of itself is not enough."""
    if plan is None or record.path not in plan.jobs:
        return record.rule.startswith("fetch_")
    job = plan.jobs[record.path]
    return "temporary" in (*job.unwatched, *job.parameters)


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
    found = run.digests[path]
    unread = f"; {found}" if found.startswith(NOT_OPENED) else ""
    return Finding(path, ORPHAN, detail=f"no record names it{unread}{_history(path, found, run.ledger)}")


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
