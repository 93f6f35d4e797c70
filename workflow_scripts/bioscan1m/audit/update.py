"""What an update of the code makes run again in a run, and the acceptance of results that earlier code made."""

from __future__ import annotations

import fcntl
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bioscan1m.audit.evidence import Evidence, read_evidence
from bioscan1m.audit.findings import code_today
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.acceptance import ACCEPTED, TAKEN_BACK, Acceptance, Decision
from bioscan1m.jobs.formats import FIRST, format_of
from bioscan1m.jobs.ledger import HEAD, LEDGER
from bioscan1m.jobs.records import Record
from bioscan1m.jobs.sealing import NO_SIGNING, seal_statement
from bioscan1m.jobs.signatures import Signing

logger = logging.getLogger(__name__)

LOCK = ".snakemake/decision.lock"  # it stays, for one that is removed could be locked twice


@dataclass(frozen=True)
class Outdated:
    """The jobs of a rule that code of one digest ran; `today` is the digest of today's code, empty if it has none.

    `planned` is false where other code is no reason to run a job again: what is fetched stays as it is.
    """

    rule: str
    before: str
    today: str
    jobs: tuple[Record, ...]
    planned: bool


def outdated_jobs(evidence: Evidence) -> list[Outdated]:
    """The jobs whose code is not today's and was not accepted for it, by rule and code."""
    groups: dict[tuple[str, str, str, bool], list[Record]] = {}
    for record in sorted(evidence.records, key=lambda record: (record.ended, record.path)):
        code = record.content["code"]
        today = code_today(code)
        if code != today and evidence.ledger.acceptance_of(record, today) is None:
            groups.setdefault((record.rule, code, today, _is_planned(record)), []).append(record)
    return [
        Outdated(rule=rule, before=code, today=today, jobs=tuple(jobs), planned=planned)
        for (rule, code, today, planned), jobs in groups.items()
    ]


def following_jobs(outdated: Iterable[Outdated], records: Iterable[Record]) -> list[Record]:
    """The other jobs that run again where planned ones do, for they read what these make."""
    waiting = [job for group in outdated if group.planned for job in group.jobs]
    first = {job.path for job in waiting}
    readers: dict[str, list[Record]] = {}
    for record in records:
        for file in record.inputs:
            if not file.get("ancient"):
                readers.setdefault(file["path"], []).append(record)
    found: dict[str, Record] = {}
    while waiting:
        made = [file["path"] for file in waiting.pop().outputs]
        new = {job.path: job for path in made for job in readers.get(path, ()) if job.path not in found}
        found |= new
        waiting += new.values()
    return [job for path, job in found.items() if path not in first]


def seconds_of(jobs: Iterable[Record]) -> float:
    """The sum of the times that jobs took; those without times in their records count 0."""
    spans = ((job.content.get("started"), job.ended) for job in jobs)
    times = ((datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in spans if start and end)
    return sum((end - start).total_seconds() for start, end in times)


def accept(
    run: Path, chosen: Collection[Outdated], who: str, when: str, why: str, signing: Signing = NO_SIGNING
) -> Decision:
    """Accept the results of jobs for today's code, so that the next call does not plan them again (todays_plan.py).

    Args:
        run: folder of the run.
        chosen: the jobs.
        who: who decides.
        when: the time, UTC, ISO 8601.
        why: the reason.
        signing: who signs the ledger.

    Returns:
        The decision, which is a line of the ledger.

    Raises:
        InputError: before anything is written, where a format has changed or a script is gone, where Snakemake or
            another decision is at work in the run, or where the ledger was changed or cut.
    """
    _require_acceptable(chosen)
    acceptances = tuple(Acceptance(group.rule, group.before, group.today, len(group.jobs)) for group in chosen)
    return _decide(run, Decision(ACCEPTED, acceptances, who=who, when=when, why=why), signing)


def take_back(
    run: Path, rules: Collection[str], who: str, when: str, why: str, signing: Signing = NO_SIGNING
) -> Decision:
    """Take back what was accepted of rules: the next plan makes it again. Raises InputError as `accept` does."""
    evidence = read_evidence(run)
    jobs = Counter((record.rule, record.content["code"]) for record in evidence.records)
    accepted = (key for key in evidence.ledger.accepted if key[0] in rules)
    acceptances = tuple(Acceptance(rule, before, after, jobs[rule, before]) for rule, before, after in accepted)
    return _decide(run, Decision(TAKEN_BACK, acceptances, who=who, when=when, why=why), signing)


def _require_acceptable(chosen: Iterable[Outdated]) -> None:
    for group in chosen:
        script = group.before.partition(":")[0]
        if not group.today:
            raise InputError(f"{group.rule}: its script {script} is gone, so its results cannot be accepted")
        read = format_of(script)
        other = {job.content.get("format", FIRST) for job in group.jobs} - {read}
        if other:
            raise InputError(
                f"{group.rule}: its files have format {min(other)}, and today's code reads only format {read}; they "
                "cannot be accepted and must be made again"
            )


def _decide(run: Path, decision: Decision, signing: Signing) -> Decision:
    """Seal a decision, which the next plan goes by."""
    require_idle(run)
    with _alone(run):
        if decision.acceptances:
            seal_statement(run / LEDGER, run / HEAD, decision, signing)
    return decision


def require_idle(run: Path) -> None:
    """Raise InputError where Snakemake is at work in a run, or was killed there."""
    if any((run / ".snakemake/locks").glob("*")):
        raise InputError(
            f"{run}: locked by Snakemake; wait until it is done. If it was killed, run `snakemake --unlock --directory "
            f"{run}` first"
        )


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Prevent a second decision at the same time. Raises InputError where one is being made."""
    (run / LOCK).parent.mkdir(exist_ok=True)
    with (run / LOCK).open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{run}: another decision on this run is being made; wait until it is done") from None
        except OSError as error:
            logger.warning("%s: this file system has no locks (%s); decide nothing else meanwhile", run, error.strerror)
        yield


def _is_planned(record: Record) -> bool:
    """Whether other code is a reason to run a job again."""
    return "code" not in record.content.get("unwatched", [])
