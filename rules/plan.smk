"""The records of finished jobs decide what is planned, and each job gets the plan of its call to compare with.

NEEDS  the rules of all stages, and results/provenance/records/ as it is
MAKES  .snakemake/plans/, and corrects Snakemake's notes on files that are not as their records have it; at the end of a call
       that made something results/provenance/ledger.jsonl
"""

import atexit
import os
import subprocess

from snakemake.io import apply_wildcards
from snakemake.logging import logger
from snakemake.settings.types import PersistenceBackend

from bioscan1m.audit.notes import METADATA, write_notes
from bioscan1m.audit.seals import made_in, settings_in
from bioscan1m.audit.todays_plan import notes_to_correct
from bioscan1m.jobs.planned import VARIABLE, JobPlan, PlannedJob, write_plan

TARGETS = (
    *(rules.dataset, rules.detector, rules.splits, rules.experiments, rules.inference, rules.embeddings),
    *(rules.predict, rules.seal_records, rules.audit),
)
# Folder of its records -> the rule that makes them.
RECORDED = {
    str(maker.output.record).partition(f"{RECORD}/")[2].partition("/")[0]: maker
    for maker in workflow.rules
    if "record" in maker.output.keys() and f"{RECORD}/" in str(maker.output.record)
}


def is_planned_from(value: object) -> bool:
    """Whether a parameter is derived from files or resources, which Snakemake does not compare."""
    return callable(value) and not signature(value).parameters.keys() <= {"wildcards"}


def planned_job(record: str, in_run: bool) -> PlannedJob | None:
    """The job that writes a record, as Snakemake will plan it; None where no rule writes it, or not of this config."""
    maker = RECORDED.get(record.partition(f"{RECORD}/")[2].partition("/")[0])
    found = maker and maker.output.record.match(record)
    if not found:
        return None
    wildcards = Wildcards(fromdict=found.groupdict())
    try:
        values = {
            name: evaluated(value, wildcards) for name, value in maker.params.items() if not is_planned_from(value)
        }
    except Exception:  # whatever a function of the wildcards raises on those of another config
        return None
    left_out = tuple(name for name in maker.params.keys() if name not in values)
    return PlannedJob(maker.name, values, left_out, in_run or not found.groupdict())


def evaluated(value: Any, wildcards: Wildcards) -> Any:
    """A parameter as Snakemake evaluates it."""
    if callable(value):
        return value(wildcards)
    if isinstance(value, list):
        return [evaluated(part, wildcards) if isinstance(part, str) else part for part in value]
    return apply_wildcards(value, wildcards) if isinstance(value, str) else value


def records_asked_for() -> set[str]:
    """The records of the jobs whose outputs a target names: those of every job but of rules without wildcards."""
    files = {file for target in TARGETS for file in target.input if isinstance(file, str)}
    asked = set()
    for maker in (maker for maker in RECORDED.values() if maker.has_wildcards()):
        for pattern in maker.output:
            start, end = str(pattern).partition("{")[0], str(pattern).rpartition("}")[2]
            alike = (file for file in files if file.startswith(start) and file.endswith(end))
            found = filter(None, map(pattern.match, alike))
            asked |= {apply_wildcards(str(maker.output.record), match.groupdict()) for match in found}
    return asked


def todays_plan() -> JobPlan:
    """The jobs of all targets, and those of the records that are there."""
    asked = records_asked_for()
    single = {str(maker.output.record) for maker in RECORDED.values() if not maker.has_wildcards()}
    there = {path.as_posix() for path in Path(RECORD).rglob("*.json")}
    jobs = {record: planned_job(record, record in asked) for record in sorted({*asked, *single, *there})}
    code = {script.stem: code_digest(script.stem) for script in (RULES.parent / "workflow_scripts").glob("*.py")}
    return JobPlan({record: job for record, job in jobs.items() if job is not None}, config, code)


def seal_at_the_end(run: Path, before: dict[str, int]) -> None:
    """Seal what this call made, if it made anything: in a process, for at its end this one starts no threads."""
    if made_in(run) != before:
        script = RULES.parent / "workflow_scripts" / "seal_call.py"  # no script of a rule
        manifest = [config["chunks"]] if ENTRY == ORIGINALS else []
        settings = settings_in(run, [*workflow.configfiles, *manifest])
        command = [sys.executable, "-E", script, run, "--settings", *settings]
        key, allowed = config["provenance"]["signing_key"], ALLOWED_SIGNERS
        command += ["--key", key] if key else []
        command += ["--allowed", allowed] if allowed else []
        subprocess.run(command, cwd=run, check=False)


if workflow.is_main_process:
    CALL = todays_plan()
    if not any(Path(RECORD).rglob("*.json")) and any(METADATA.glob("*")):
        logger.warning(
            f"{RECORD} has no records, though jobs ran here, so all of them will run again. If they were lost, "
            "`repair_run.py RUN --lost-records` writes them anew"
        )
    if workflow.workflow_settings.persistence_backend == PersistenceBackend.FILE:
        write_notes(Path(), notes_to_correct(Path(), CALL))
    else:
        logger.warning("Snakemake's notes are in a database and not compared with the records: leave out that option")
    os.environ[VARIABLE] = str(write_plan(CALL))
    atexit.register(seal_at_the_end, Path.cwd(), made_in(Path.cwd()))
elif VARIABLE not in os.environ:
    raise WorkflowError(f"The environment variable {VARIABLE} did not reach this job: let the scheduler pass it on")


envvars:
    VARIABLE,
