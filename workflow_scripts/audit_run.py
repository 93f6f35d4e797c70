"""Audit a run folder as it is, without running anything: which files were changed, lost or made by no job?

    python workflow_scripts/audit_run.py runs/demo
    python workflow_scripts/audit_run.py runs/demo --hash 0
    python workflow_scripts/audit_run.py runs/demo results/packages/cropped_256.hdf5
    python workflow_scripts/audit_run.py runs/demo ~/Downloads/crops.hdf5

The first prints every file that is not intact and the counts, the second compares sizes and times in place of hashes,
the third prints which job made single files and from what, and so does the fourth for a file outside of the run, by its
bytes or by the recipe in it. The status is 1 where a file is changed or missing, 2 where the folder is no run. The rule
`audit` writes the findings into the results at the end of a run.

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
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from bioscan1m.audit.findings import FAULTS, INTACT, ORPHAN, Evidence, Finding, audit, count_states, read_evidence
from bioscan1m.audit.identification import identify
from bioscan1m.audit.lineage import jobs_behind, sources_behind
from bioscan1m.audit.todays_plan import plan_of
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tsv import as_tsv
from bioscan1m.jobs.planned import JobPlan
from bioscan1m.jobs.records import RECORDS, Record, by_output


def audit_run(run: Path, share: float = 1.0, form: str = "text", plan: JobPlan | None = None) -> int:
    """Print the findings of the audit of a run.

    Args:
        run: folder of the run.
        share: fraction of the files to hash.
        form: text, tsv or json.
        plan: today's plan; without it parameters are not compared.

    Returns:
        0, or 1 where a file is at fault, or 2 where there is no run.
    """
    if not (run / RECORDS).is_dir():
        sys.stderr.write(
            f"audit_run: {run} has no folder {RECORDS}, so it is no run of this workflow, or an older one\n"
        )
        return 2
    findings = audit(run, share, plan=plan)
    if form == "json":
        files = [asdict(finding) for finding in findings]
        _print_json({"files": files, "states": count_states(findings), "compared_with_plan": plan is not None})
    else:
        _print_table(findings, form)
    return int(any(finding.state in FAULTS for finding in findings))


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
    found = {finding.path: finding for finding in audit(run, paths=names, plan=plan)}
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
    parser.add_argument("--no-plan", action="store_true", help="compare no parameters with today's config")
    parser.add_argument(
        "--options", nargs=argparse.REMAINDER, default=[], help="Snakemake's options for this run, such as --configfile"
    )
    given = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name can have bytes that are no text
    plan = None if given.no_plan else _plan_or_reason(given.run, given.options)
    if given.paths:
        return audit_paths(given.run, given.paths, given.format, plan)
    return audit_run(given.run, given.hash, given.format, plan)


if __name__ == "__main__":
    as_command(main)
