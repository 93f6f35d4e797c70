"""A small run that jobs and calls have made, sealed and perhaps signed, for tests that then change something in it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

from bioscan1m.audit.seals import seal_run
from bioscan1m.foundation.digests import describe_files
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.jobs.ledger import HEAD, head_hash
from bioscan1m.jobs.planned import JobPlan, PlannedJob
from bioscan1m.jobs.records import RECORDS, write_record
from bioscan1m.jobs.signatures import Signing
from seal_records import seal_records

PARTS = range(3)
SETTINGS = ["config.yaml", "chunks.tsv"]
REPORT, CRATE = "results/report.html", "results/ro-crate/ro-crate-metadata.json"
AUDIT = ["results/provenance/audit.tsv", "results/provenance/audit.html"]
SIGNERS = "signers"


def chunk(part: int) -> str:
    """The path of a fetched chunk."""
    return f"data/chunks/part{part}.zip"


def crops(part: int) -> str:
    """The path of the crops of a chunk."""
    return f"results/cropped/part{part}.zip"


def record_path(rule: str, part: int | str = 0) -> str:
    """The path of a record."""
    return f"{RECORDS}/{rule}/part{part}.json"


def run_job(rule: str, part: int | str, inputs: list[str], outputs: list[str], day: int) -> None:
    """Write the outputs of a job, which depend on the day, and its record."""
    known = head_hash(".")
    for path in outputs:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(random.Random(f"{path} {day}").randbytes(300))
    record_job(rule, part, inputs, outputs, day, known)


def record_job(
    rule: str, part: int | str, inputs: list[str], outputs: list[str], day: int, known: str | None, **more: object
) -> None:
    """Write the record of a job, as it would be, of the files that are there."""
    content = {
        "rule": rule,
        "wildcards": {"chunk": str(part)},
        "inputs": describe_files(inputs),
        "outputs": describe_files(outputs),
        "unwatched": [],
        "parameters": {"crop": {"ratio": 1.4}},
        "code": code_digest(rule),
        "ledger": known,
        "started": f"2026-01-{day:02}T10:00:00+00:00",
        "ended": f"2026-01-{day:02}T10:00:01+00:00",
    }
    write_record(record_path(rule, part), content | more)


def finish(day: int, parts: range, signing: Signing) -> None:
    """The jobs of a day in the working directory, the sealing, crate, audit and report."""
    for part in parts:
        run_job("fetch_chunk", part, [], [chunk(part)], day)
        run_job("crop_chunk", part, [chunk(part)], [crops(part), f"results/quarantine/crop/part{part}.tsv"], day)
    began = head_hash(".")
    Path(record_path("seal_records")).unlink(missing_ok=True)  # as Snakemake does before the job begins
    seal_records(HEAD, signing.key, signing.allowed)
    record_job("seal_records", 0, [], [HEAD], day, began)
    run_job("export_crate", 0, [HEAD], [CRATE], day)
    run_job("audit_results", 0, [HEAD], AUDIT, day)
    Path(REPORT).write_text(f"report of day {day}")
    seal_run(Path(), signing, SETTINGS)


def make_run(folder: Path, signed: bool) -> Path:
    """A run of two days; `older` beside it is what it was after the first."""
    run = folder / "run with Ä"
    run.mkdir()
    start = Path.cwd()
    os.chdir(run)
    try:
        Path("config.yaml").write_text("crop: {ratio: 1.4}\n")
        Path("chunks.tsv").write_text("chunk\tsource\n")
        signing = make_keys(folder) if signed else Signing()
        finish(1, PARTS, signing)
        shutil.copytree(run, folder / "older")
        finish(2, PARTS[:2], signing)
    finally:
        os.chdir(start)
    return run


def make_keys(folder: Path) -> Signing:
    """An own key, that of somebody else, and a file that allows the own one."""
    for name in ("key", "other"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(command, check=True)
    kind, public = (folder / "key.pub").read_text().split()[:2]
    (folder / SIGNERS).write_text(f"me@example.org {kind} {public}\n")
    return Signing(str(folder / "key"), str(folder / SIGNERS))


def plan_of_run(signers: Path | None = None) -> JobPlan:
    """Today's plan of the run, by which all of it is current."""
    rules = {
        "fetch_chunk": ("temporary",),
        "crop_chunk": (),
        "seal_records": (),
        "export_crate": (),
        "audit_results": (),
    }
    jobs = {
        record_path(rule, part): PlannedJob(
            rule, {"crop": {"ratio": 1.4}, "code": code_digest(rule)}, unwatched, in_run=True
        )
        for rule, unwatched in rules.items()
        for part in (PARTS if rule.endswith("_chunk") else [0])
    }
    named = {} if signers is None else {"allowed_signers": str(signers)}
    return JobPlan(jobs, {"provenance": named}, {})
