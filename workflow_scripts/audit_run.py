"""Audit a run folder as it is, without running anything: which files were changed, lost or made by no job?

    python workflow_scripts/audit_run.py runs/demo
    python workflow_scripts/audit_run.py runs/demo --hash 0
    python workflow_scripts/audit_run.py runs/demo results/packages/cropped_256.hdf5
    python workflow_scripts/audit_run.py runs/demo ~/Downloads/crops.hdf5
    python workflow_scripts/audit_run.py runs/demo --since 2026-12-01
    python workflow_scripts/audit_run.py runs/demo --head
    python workflow_scripts/audit_run.py runs/demo --head 0ae038b9059dd8d9...

The first prints every file that is not intact and the counts, the second compares sizes and times in place of hashes,
the third prints which job made single files and from what, and so does the fourth for a file outside of the run, by its
bytes or by the recipe in it. The fifth hashes what was written since a time, or since a line of the ledger (its number
or hash), and prints that and all faults. The sixth prints the head of the ledger, for a lab book or the message of a
commit; the seventh is an audit that also compares with a head so noted: the ledger must still have that line.

The status is 1 where a file is changed or missing, 2 where the folder is no run. The rule `audit` writes the findings
into the results at the end of a run.

Parameters are compared with the plan of today's config, which Snakemake makes in three seconds; where it cannot, as in
a folder of results alone, a line states that and why. Options that a run needs come last: --options --configfile FILE.
"""

from __future__ import annotations

import argparse
import difflib
import io
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from bioscan1m.audit.evidence import Evidence, read_evidence
from bioscan1m.audit.findings import audit
from bioscan1m.audit.identification import identify
from bioscan1m.audit.lineage import jobs_behind, sources_behind
from bioscan1m.audit.scope import WHOLE, Scope
from bioscan1m.audit.states import CHANGED, FAULTS, INTACT, ORPHAN, Finding, count_states
from bioscan1m.audit.todays_plan import plan_of
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tsv import as_tsv
from bioscan1m.jobs.ledger import FIRST, HEAD, LEDGER, read_chain
from bioscan1m.jobs.planned import JobPlan
from bioscan1m.jobs.records import RECORDS, Record, by_output
from bioscan1m.jobs.sealing import read_sound_ledger


@dataclass(frozen=True)
class Compared:
    """What a run is compared with: today's plan, the file of allowed signers, and a head that somebody noted."""

    plan: JobPlan | None = None
    signers: str | None = None
    head: str | None = None


NOTHING = Compared()


def audit_run(run: Path, scope: Scope = WHOLE, form: str = "text", compared: Compared = NOTHING) -> int:
    """Print the findings of the audit of a run.

    Args:
        run: folder of the run.
        scope: what to check.
        form: text, tsv or json.
        compared: what to compare it with.

    Returns:
        0, or 1 where a file is at fault, or 2 where there is no run.
    """
    if not (run / RECORDS).is_dir():
        sys.stderr.write(
            f"audit_run: {run} has no folder {RECORDS}, so it is no run of this workflow, or an older one; if the "
            "records were lost, `repair_run.py RUN --lost-records` writes them anew\n"
        )
        return 2
    findings = audit(run, scope, compared.plan, compared.signers)
    if not findings and scope.since is None:
        sys.stderr.write(f"audit_run: nothing to audit: {run} has neither records nor files of a run\n")
        return 2
    if compared.head is not None and (fault := head_fault(run, compared.head)):
        findings.append(Finding(LEDGER, CHANGED, detail=fault))
    if form == "json":
        files = [asdict(finding) for finding in findings]
        _print_json({"files": files, "states": count_states(findings), "compared_with_plan": compared.plan is not None})
    else:
        _print_table(findings, form)
    return int(any(finding.state in FAULTS for finding in findings))


def head_of(run: Path) -> str:
    """The head of the ledger, as its number of lines and the hash of the last. Raises InputError if it is damaged."""
    ledger = read_sound_ledger(run / LEDGER, run / HEAD)
    return f"{ledger.head['entries']} {ledger.head['hash']}"


def head_fault(run: Path, noted: str) -> str:
    """Why a ledger is not one that had this head, of which the last word is the hash; empty where it is."""
    ledger, digest = read_chain(run / LEDGER), noted.split()[-1] if noted.split() else ""
    return "" if digest in ledger.numbers and digest != FIRST else f"no line has the noted hash {digest or '(none)'}"


def since_of(run: Path, text: str) -> float:
    """The time in seconds that `text` means: ISO 8601, or when a line of the ledger was sealed, by number or hash.

    Raises InputError where it is none of these.
    """
    ledger = read_chain(run / LEDGER)
    number = ledger.numbers.get(text, int(text) if text.isdecimal() and len(text) < 8 else 0)
    if 0 < number <= len(ledger.entries):
        text = ledger.entries[number - 1].sealed
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise InputError(f"--since {text}: no time, such as 2026-12-01T10:00, and no line of the ledger") from None


def audit_paths(run: Path, paths: list[str], form: str = "text", plan: JobPlan | None = None) -> int:
    """Print which jobs made the files, and from what.

    Args:
        run: folder of the run.
        paths: files, relative to the run or anywhere.
        form: text or json.
        plan: today's plan; without it parameters are not compared.

    Returns:
        0, or 1 where a file is at fault or unknown.
    """
    names = [_in_run(run, path) for path in paths]
    found = {finding.path: finding for finding in audit(run, Scope(paths=names), plan)}
    evidence = read_evidence(run)
    made = by_output(evidence.records)
    answers = []
    for name in names:
        if name in made and name in found:
            answers.append(_answer(found[name], made[name][0], evidence))
        elif (run / name).is_file():
            answers.append(_answer(*identify(run / name, evidence), evidence))
        else:
            near = ", ".join(difflib.get_close_matches(name, made, 3)) or "-"
            sys.stderr.write(f"audit_run: {name}: no such file, and no record of one; near: {near}\n")
    _print_json(answers) if form == "json" else sys.stdout.write("\n".join(map(_as_text, answers)))
    unknown = len(answers) < len(names)
    return int(unknown or any(answer["state"] in (*FAULTS, ORPHAN) for answer in answers))


def _answer(finding: Finding, maker: Record | None, evidence: Evidence) -> dict[str, Any]:
    """What is found of a file, its job, the numbers of jobs behind it by their rules, and its sources."""
    jobs = [] if maker is None else jobs_behind(maker, evidence.records)
    made_by = {} if maker is None else maker.content
    return (
        asdict(finding)
        | {key: made_by.get(key) for key in ("ended", "code", "source", "inputs")}
        | {"jobs": dict(Counter(job.rule for job in jobs)), "sources": sources_behind(jobs, evidence.ledger)}
    )


def _in_run(run: Path, path: str) -> str:
    """The path relative to the run, of one that is so already or of a file that lies in it; else the absolute path."""
    place = Path(path).expanduser()
    if (run / place).exists() and not place.is_absolute():
        return place.as_posix()
    here = place.resolve()
    if here.is_relative_to(run.resolve()):  # also one that is gone
        return here.relative_to(run.resolve()).as_posix()
    return (here if place.exists() or place.is_absolute() else place).as_posix()


def _as_text(answer: dict[str, Any]) -> str:
    lines = [f"{answer['path']}: {answer['state']}{answer['detail'] and ', ' + answer['detail']}"]
    if answer["ended"]:
        commit = (answer["source"] or {}).get("commit") or "unknown"
        lines.append(f"  made by {answer['rule']} on {answer['ended']}, code {answer['code']}, commit {commit[:12]}")
    lines += [f"  from {count} x {rule}" for rule, count in answer["jobs"].items() if rule != answer["rule"]]
    for source in answer["sources"]:
        published = source["checksum"] or f"none published; sha256:{source['sha256']} at the first fetch"
        lines.append(f"  source {source['path']} of {source['source']}, checksum {published}")
    return "\n".join(lines) + "\n"


def _print_table(findings: list[Finding], form: str) -> None:
    shown = [finding for finding in findings if form == "tsv" or finding.state != INTACT]
    columns = [field.name for field in fields(Finding)]
    order = columns if form == "tsv" else ["state", "path", "rule", "detail"]
    rows = [[getattr(finding, column) for column in order] for finding in shown]
    sys.stdout.write(as_tsv([columns, *rows] if form == "tsv" else rows))
    if form == "text":
        counts = ", ".join(f"{files} {state}" for state, files in count_states(findings).items())
        sys.stdout.write(f"{len(findings)} files: {counts}\n")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _plan_or_reason(run: Path, options: list[str]) -> JobPlan | None:
    """Today's plan; None, and a line on standard error, where there is none."""
    try:
        return plan_of(run, options)
    except InputError as error:
        sys.stderr.write(f"audit_run: parameters are not compared with today's plan: {error}\n")
        return None


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share; it must lie between 0 and 1")
    return share


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the working directory of a run")
    parser.add_argument("paths", nargs="*", help="files of the run; by default all")
    parser.add_argument("--hash", type=_share, default=1.0, metavar="SHARE", help="share of the files to hash (1)")
    parser.add_argument("--format", choices=["text", "tsv", "json"], default="text")
    parser.add_argument("--since", metavar="TIME", help="only what changed since a time or a line of the ledger")
    parser.add_argument("--head", nargs="?", const="", metavar="HASH", help="print the ledger's head, or compare")
    parser.add_argument("--allowed-signers", metavar="FILE", help="who must have signed the ledger")
    parser.add_argument("--no-plan", action="store_true", help="compare no parameters with today's config")
    parser.add_argument(
        "--options", nargs=argparse.REMAINDER, default=[], help="Snakemake's options for this run, such as --configfile"
    )
    given = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name can have bytes that are no text
    try:
        if given.head == "":
            sys.stdout.write(head_of(given.run) + "\n")
            return 0
        since = None if given.since is None else since_of(given.run, given.since)
    except InputError as error:
        sys.stderr.write(f"audit_run: {error}\n")
        return 1
    plan = None if given.no_plan else _plan_or_reason(given.run, given.options)
    if given.paths:
        return audit_paths(given.run, given.paths, given.format, plan)
    scope = Scope(share=given.hash, since=since)
    return audit_run(given.run, scope, given.format, Compared(plan, given.allowed_signers, given.head))


if __name__ == "__main__":
    as_command(main)
