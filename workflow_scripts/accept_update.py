"""After an update of the code: what would a run make again, and what of it may stay as earlier code made it?

    python workflow_scripts/accept_update.py runs/mine
    python workflow_scripts/accept_update.py runs/mine --accept detect_insects crop_chunk --why "only decodes faster"
    python workflow_scripts/accept_update.py runs/mine --accept all --why "taken over from version 0.1.0"
    python workflow_scripts/accept_update.py runs/mine --take-back crop_chunk --why "the crops do differ"

The first lists, by rule, the jobs that today's code would run again, and how long they took last time. The second and
third accept the results of rules as they are: nothing runs, the next plan does not contain them, and the ledger notes
who accepted them, when and why; the audit, the trace of an image and the RO-Crate show it. The fourth takes that back.
Only the code is accepted: what has another reason to run again, such as a changed config, still does.
"""

from __future__ import annotations

import argparse
import getpass
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bioscan1m.audit.crate import METADATA
from bioscan1m.audit.evidence import read_evidence
from bioscan1m.audit.todays_plan import signing_of
from bioscan1m.audit.update import (
    Outdated,
    accept,
    following_jobs,
    outdated_jobs,
    seconds_of,
    take_back,
)
from bioscan1m.foundation.checkout import run_snakemake
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.progress import as_duration
from bioscan1m.jobs.acceptance import Decision
from bioscan1m.jobs.environment import now
from bioscan1m.jobs.ledger import HEAD
from bioscan1m.jobs.records import RECORDS, Record

ALL = "all"
COLUMNS = ("rule", "jobs", "time", "", "made by", "today's code")
MOST_NAMES = 8  # of rules, in a line


def describe_update(run: Path) -> str:
    """What today's code would run again in a run, as text."""
    evidence = read_evidence(run)
    outdated = outdated_jobs(evidence)
    lines = _listed([group for group in outdated if group.planned], evidence.records)
    return "\n".join(lines) + "\n"


def _listed(planned: Sequence[Outdated], records: Iterable[Record]) -> list[str]:
    if not planned:
        return ["Today's code would run no job of this run again."]
    jobs = [job for group in planned for job in group.jobs]
    together = [*jobs, *following_jobs(planned, records)]
    return [
        "Today's code would run these jobs again, because other code made their files:",
        *_as_table(planned),
        f"{_count(jobs)}, {_time(jobs)}; with the jobs that read their files {_count(together)}, {_time(together)}.",
        "These are the times of the last run, one job after the other.",
        'To keep what earlier code made, add --accept RULE [RULE ...] or --accept all, and --why "..."',
    ]


def _as_table(groups: Sequence[Outdated]) -> list[str]:
    """Rows of equally wide columns: rule, number of jobs, their time, whether on a GPU, and the codes."""
    rows = [COLUMNS]
    for group in groups:
        gpu = "GPU" if any((job.content.get("machine") or {}).get("gpu") for job in group.jobs) else ""
        made_by, today = (code.partition(":")[2] for code in (group.before, group.today))
        rows.append((group.rule, str(len(group.jobs)), _time(group.jobs), gpu, made_by, today or "gone"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _count(jobs: Sequence[Record]) -> str:
    return f"{len(jobs)} job{'' if len(jobs) == 1 else 's'}"


def _time(jobs: Iterable[Record]) -> str:
    return as_duration(seconds_of(jobs))


def accept_rules(run: Path, rules: Sequence[str], who: str, why: str, options: Sequence[str] = ()) -> Decision:
    """Accept what earlier code made of rules, or of all. Raises InputError where one has nothing to accept."""
    evidence = read_evidence(run)
    outdated = outdated_jobs(evidence)
    accepted = {rule for rule, _, _ in evidence.ledger.accepted}  # to repeat a decision
    _require_known(
        rules, [*(group.rule for group in outdated), *sorted(accepted)], "no results of earlier code to accept"
    )
    chosen = [group for group in outdated if group.rule in rules or (ALL in rules and (group.planned or group.today))]
    return accept(run, chosen, who=who, when=now(), why=why, signing=signing_of(run, options))


def take_back_rules(run: Path, rules: Sequence[str], who: str, why: str, options: Sequence[str] = ()) -> Decision:
    """Take back what was accepted of rules, or of all. Raises InputError where nothing of one was ever accepted."""
    decisions = read_evidence(run).ledger.decisions
    decided = sorted({acceptance.rule for decision in decisions for acceptance in decision.acceptances})
    _require_known(rules, decided, "no accepted results")
    chosen = decided if ALL in rules else rules
    return take_back(run, chosen, who=who, when=now(), why=why, signing=signing_of(run, options))


def _require_known(rules: Iterable[str], known: Sequence[str], missing: str) -> None:
    unknown = [rule for rule in rules if rule not in (ALL, *known)]
    if unknown:
        listed = ", ".join(dict.fromkeys(known)) or "none"
        raise InputError(f"{', '.join(unknown)}: {missing}; rules that have some: {listed}")


def seal_again(run: Path, options: Sequence[str]) -> str:
    """Let Snakemake close the ledger and write the RO-Crate anew, where the run has them.

    Args:
        run: folder of the run.
        options: Snakemake's options for the run, such as --configfile.

    Returns:
        The end of Snakemake's output if it failed, else nothing.
    """
    targets = [path for path in (HEAD, METADATA) if (run / path).is_file()]
    if not targets:
        return ""
    head, kept = run / HEAD, run / f"{HEAD}.kept"
    if head.is_file():
        shutil.copy2(head, kept)  # Snakemake removes the output of a job that fails
    rules = ["--forcerun", "seal_records", "--allowed-rules", "seal_records", "export_crate", "--cores", "1"]
    triggers = ["--rerun-triggers", "mtime", "--quiet", "rules", "host"]
    done = run_snakemake(run.resolve(), [*targets, *rules, *triggers, *options])
    if kept.exists() and not head.exists():
        kept.replace(head)
    kept.unlink(missing_ok=True)
    return "" if done.returncode == 0 else done.stdout[-1500:]


def _report(run: Path, decision: Decision, options: Sequence[str]) -> str:
    rules = list(dict.fromkeys(one.rule for one in decision.acceptances))
    named = ", ".join(rules) if len(rules) <= MOST_NAMES else f"{len(rules)} rules"
    jobs = sum(one.jobs for one in decision.acceptances)
    lines = [
        f"{decision.kind.capitalize()}: the results of {jobs} jobs of {named}. "
        f"The ledger names {decision.who}, {decision.when}: {decision.why}"
        if rules
        else "Nothing new to decide."
    ]
    if trouble := seal_again(run, options):
        lines.append(
            f"{trouble}\nThe ledger's head, its signature and the RO-Crate are out of date: Snakemake failed, see"
        )
        lines.append("above. Run the target `all` with --forcerun seal_records and the options that this run needs.")
    lines.append("Run the target `audit` for a new audit; `snakemake -n` shows what else there is to do.")
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the working directory of a run")
    decision = parser.add_mutually_exclusive_group()
    decision.add_argument("--accept", nargs="+", metavar="RULE", help="rules whose results stay, or all")
    decision.add_argument("--take-back", nargs="+", metavar="RULE", help="rules whose acceptance ends, or all")
    parser.add_argument("--why", help="the reason, for the ledger")
    parser.add_argument("--who", help="who decides; by default your login name")
    parser.add_argument(
        "--options", nargs=argparse.REMAINDER, default=[], help="Snakemake's options for this run, such as --configfile"
    )
    return parser


def _who(given: str | None) -> str:
    try:
        return given or getpass.getuser()
    except (KeyError, OSError):  # as in a container without a name for its user
        raise InputError("your login name is not known here; add --who NAME") from None


def _decide(given: argparse.Namespace) -> str:
    """Decide as the command line asks, and what to print. Raises InputError where that cannot be."""
    who, why = _who(given.who), (given.why or "").strip()
    if not (why and why.isprintable() and who.isprintable()):
        raise InputError('a decision needs its reason, on one line: --why "..."; so does --who, if it is given')
    decide, rules = (accept_rules, given.accept) if given.accept else (take_back_rules, given.take_back)
    return _report(given.run, decide(given.run, rules, who, why, given.options), given.options)


def main() -> int:
    """The command."""
    given = _parser().parse_args()
    try:
        if not (given.run / RECORDS).is_dir():
            raise InputError(f"{given.run} has no folder {RECORDS}, so it is no run of this workflow")
        if not (given.accept or given.take_back) and (given.why or given.who):
            raise InputError("--why and --who belong to a decision: add --accept or --take-back")
        decides = given.accept or given.take_back
        sys.stdout.write(_decide(given) if decides else describe_update(given.run))
    except BrokenPipeError:
        raise  # of no file of the run
    except (InputError, OSError) as error:
        sys.stderr.write(f"accept_update: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    as_command(main)
