"""The records of a run compared with today's plan: what was made by other parameters or by other code?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bioscan1m.audit.evidence import read_sound_records
from bioscan1m.audit.notes import Note, wrong_notes
from bioscan1m.foundation.checkout import run_snakemake
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.ledger import LEDGER, read_ledger
from bioscan1m.jobs.planned import PLANS, JobPlan, read_plan
from bioscan1m.jobs.records import Record
from bioscan1m.jobs.sealing import was_signed
from bioscan1m.jobs.signatures import Signing

LINES_OF_REASON = 20
NO_REASON = ('  File "', "Using profile ")  # how lines of Snakemake begin that state no reason


def notes_to_correct(run: Path, plan: JobPlan) -> list[Note]:
    """Snakemake's notes that are missing or differ from the records of a run, as they should be before it plans."""
    records = read_sound_records(run)
    return wrong_notes(run, records, plan.jobs, _accepted(run, records, plan))


def plan_of(run: Path, options: Sequence[str] = ()) -> JobPlan:
    """Today's plan of a run, which Snakemake writes into its folder when it reads the rules; no job runs.

    Args:
        run: folder of the run.
        options: Snakemake's options for the run, such as --configfile.

    Raises:
        InputError: Snakemake cannot make a plan, as where the folder has no config.
    """
    if not options and not (run / "config.yaml").is_file():
        raise InputError(f"{run} has no config.yaml")
    done = run_snakemake(run.resolve(), ["--list-rules", *options])
    if done.returncode:
        raise InputError(f"Snakemake cannot plan in {run}: {_reason(done.stdout)}")
    return read_plan(max((run / PLANS).glob("*.json"), key=lambda plan: plan.stat().st_mtime_ns))


def _reason(output: str) -> str:
    """Why Snakemake failed: the last lines of its output, without those that state none."""
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith(NO_REASON)]
    return "\n".join(lines[-LINES_OF_REASON:]) or "it gives no reason"


def signing_of(run: Path, options: Sequence[str] = ()) -> Signing:
    """Who signs the ledger of a run by its config, which is read only where the ledger is signed.

    Raises InputError where it has to be read and cannot.
    """
    if not (was_signed(run / LEDGER) or (run / f"{LEDGER}.sig").is_file()):
        return Signing()
    named = plan_of(run, options).config["provenance"]
    places = (named["signing_key"], named.get("allowed_signers"))
    return Signing(*(str(run.resolve() / Path(place).expanduser()) if place else None for place in places))


def _accepted(run: Path, records: list[Record], plan: JobPlan) -> set[str]:
    """The paths of records whose results somebody accepted for today's code; without other code no ledger is read."""
    today = {path: job.parameters["code"] for path, job in plan.jobs.items() if "code" in job.parameters}
    other = [record for record in records if today.get(record.path, record.content["code"]) != record.content["code"]]
    if not other:
        return set()
    ledger = read_ledger(run / LEDGER)
    return {record.path for record in other if ledger.acceptance_of(record, today[record.path]) is not None}
