"""Make again what the audit finds missing, changed or damaged in a run, and what follows from it.

    python workflow_scripts/repair_run.py runs/demo
    python workflow_scripts/repair_run.py runs/demo --list
    python workflow_scripts/repair_run.py runs/mine --options --profile slurm
    python workflow_scripts/repair_run.py runs/demo --lost-records
    python workflow_scripts/repair_run.py runs/demo --lost-ledger --why "the disk failed on 3 May, no backup"

The first lists the files at fault and makes them again by their jobs; then the jobs that read them run, unless the new
files have the bytes that the records had. What else there is to do, as after a change of the config, is done by the
second of these calls too. The second command only lists, the third has Snakemake's options for the run; without any it
runs on this machine. The fourth runs nothing: it writes lost records anew, as the ledger has them, else from the files
and Snakemake's notes, marked as reconstructed. The fifth states, in the ledger and for good, that lines of it are lost;
until then nothing more is sealed. The status is 1 where files stay at fault.
"""

from __future__ import annotations

import argparse
import getpass
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bioscan1m.audit.evidence import read_evidence, read_sound_records
from bioscan1m.audit.findings import audit
from bioscan1m.audit.repair import Repair, following_records, keep_times_of_equal_files, plan_repair
from bioscan1m.audit.restoration import restore_records
from bioscan1m.audit.states import FAULTS, MISSING, Finding
from bioscan1m.audit.todays_plan import plan_of
from bioscan1m.audit.update import require_idle
from bioscan1m.foundation.checkout import snakemake_command
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.environment import now
from bioscan1m.jobs.ledger import LEDGER
from bioscan1m.jobs.planned import JobPlan
from bioscan1m.jobs.records import RECORDS
from bioscan1m.jobs.sealing import state_loss

HERE = ("--profile", "profiles/demo")


def repair_run(run: Path, options: Sequence[str], list_only: bool) -> int:
    """List what is at fault and make it again; the status.

    Raises InputError where the folder is no run, Snakemake cannot plan, or a job fails.
    """
    if not (run / RECORDS).is_dir():
        raise InputError(
            f"{run} has no folder {RECORDS}, so it is no run of this workflow; if they are lost, --lost-records writes "
            "them anew"
        )
    plan = plan_of(run, options)
    repair = plan_repair(run, plan)
    sys.stdout.write(_described(repair))
    sys.stdout.flush()
    if list_only or not repair.jobs:
        return int(bool(repair.jobs or repair.others))
    _make_again(run, repair, plan, options)
    left = [finding for finding in audit(run, plan=plan) if finding.state in FAULTS]
    sys.stdout.write(_lines(left) + f"{len(left)} files are at fault now. The target `audit` makes a new audit.\n")
    return int(bool(left))


def restore_lost(run: Path, options: Sequence[str], list_only: bool) -> int:
    """Write lost records anew and print which; 1 where some cannot be. Raises InputError without a plan."""
    require_idle(run)
    restoration = restore_records(run, plan_of(run, options), now(), write=not list_only)
    kinds = (
        ("as the ledger has them", restoration.sealed),
        ("reconstructed from the files", restoration.reconstructed),
    )
    for what, paths in kinds:
        sys.stdout.write(f"{len(paths)} lost records, {what}{':' if paths else ''}\n")
        sys.stdout.write("".join(f"  {path}\n" for path in paths))
    for path, reason in restoration.left.items():
        sys.stdout.write(f"  {path}: its job will run again, for {reason}\n")
    return int(bool(restoration.left))


def state_lost_lines(run: Path, why: str) -> int:
    """State that lines of the ledger are lost. Raises InputError without a reason, or where Snakemake is at work."""
    require_idle(run)
    if not why.strip():
        raise InputError('that lines are lost needs a reason, for the ledger: --why "..."')
    loss = state_loss(run, run / LEDGER, read_sound_records(run), who=getpass.getuser(), when=now(), why=why.strip())
    if loss is None:
        sys.stdout.write("No line of the ledger is known that is not there.\n")
    else:
        sys.stdout.write(f"The ledger names {loss.who}, {loss.when}: {loss.why}. The next run seals what is there.\n")
    return 0


def _described(repair: Repair) -> str:
    if not (repair.jobs or repair.others):
        return "No file is at fault.\n"
    files = [finding for findings in repair.jobs.values() for finding in findings]
    text = f"{len(files)} files are at fault, which {len(repair.jobs)} jobs make again:\n{_lines(files)}"
    if any(finding.state == MISSING and finding.path.startswith(RECORDS) for finding in files):
        text += "With --lost-records, lost records are written anew and their jobs do not run.\n"
    if repair.others:
        text += f"No job of today's plan makes these again; put back a copy, or remove them:\n{_lines(repair.others)}"
    return text


def _lines(findings: Sequence[Finding]) -> str:
    return "".join(f"  {one.path} ({one.state}{one.rule and ', by ' + one.rule})\n" for one in findings)


def _make_again(run: Path, repair: Repair, plan: JobPlan, options: Sequence[str]) -> None:
    """Two calls, between which files with equal bytes get their times back: then nothing follows from them."""
    before = read_evidence(run)
    following = following_records(repair.records, before, plan)
    _snakemake(run, [*repair.records, "--forcerun", *repair.records, *options])
    keep_times_of_equal_files(run, before, repair.records)
    _snakemake(run, ["all", *following, *options])


def _snakemake(run: Path, arguments: Sequence[str]) -> None:
    done = subprocess.run(**snakemake_command(run.resolve(), arguments), check=False)
    if done.returncode:
        raise InputError("Snakemake failed, see above; run this command again when the reason is mended")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the working directory of a run")
    parser.add_argument("--list", action="store_true", help="only list what is at fault")
    parser.add_argument("--lost-records", action="store_true", help="write lost records anew; no job runs")
    parser.add_argument("--lost-ledger", action="store_true", help="state that lines of the ledger are lost for good")
    parser.add_argument("--why", default="", help="the reason, with --lost-ledger")
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=list(HERE), help="Snakemake's options")
    given = parser.parse_args()
    try:
        if given.lost_ledger:
            return state_lost_lines(given.run, given.why)
        if given.lost_records:
            return restore_lost(given.run, given.options, given.list)
        return repair_run(given.run, given.options, given.list)
    except (InputError, OSError) as error:
        sys.stderr.write(f"repair_run: {error}\n")
        return 1


if __name__ == "__main__":
    as_command(main)
