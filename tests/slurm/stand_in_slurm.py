"""SLURM's commands without a cluster: `sbatch` keeps what it was asked for, and jobs are done as soon as accepted.

It turns the first request for each job down, so that each is made once more, as a second attempt. Accepted jobs leave
empty outputs, those that `outputs.json` names for their rule.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path

COMMANDS = ("sbatch", "sacct", "squeue", "sinfo", "scontrol", "scancel", "srun", "sacctmgr", "sshare")


def install(folder: Path, outputs: dict[str, list[str]]) -> dict[str, str]:
    """Put the commands into a folder; return an environment that finds them first. `outputs` are those of each rule."""
    folder.mkdir()
    for command in COMMANDS:
        (folder / command).write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{__file__}" {command} "$@"\n')
        (folder / command).chmod(0o755)
    (folder / "outputs.json").write_text(json.dumps(outputs))
    (folder / "requests.jsonl").touch()
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "STAND_IN_SLURM": str(folder)}


def requests(folder: Path) -> dict[str, list[str]]:
    """Rule -> the options that the scheduler goes by, attempt by attempt, of the first of its jobs."""
    asked: dict[str, dict[str, list[str]]] = {}
    for line in (folder / "requests.jsonl").read_text().splitlines():
        request = json.loads(line)
        asked.setdefault(_rule(request["job"]), {}).setdefault(request["job"], []).append(request["options"])
    return {rule: next(iter(jobs.values())) for rule, jobs in asked.items()}


def sbatch(folder: Path, arguments: list[str]) -> str:
    """Keep a request; turn it down if it is the first for its job, else make the outputs and give the job an id."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--parsable", action="store_true")
    for option in ("--job-name", "--output", "--export", "--comment", "--wrap", "-D"):
        parser.add_argument(option)
    named, compared = parser.parse_known_args(arguments)
    (job,) = re.findall(r"--target-jobs '?([^' ]+)", named.wrap)
    asked_before = _requests(folder)
    with (folder / "requests.jsonl").open("a") as file:
        file.write(json.dumps({"job": job, "options": " ".join(compared)}) + "\n")
    if job not in (request["job"] for request in asked_before):
        sys.exit("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation")
    for output in json.loads((folder / "outputs.json").read_text())[_rule(job)]:
        path = Path(named.D, output)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(len(asked_before) + 1)


def sacct(folder: Path, arguments: list[str]) -> str:
    """Every job is done; of anything but states there is nothing to say."""
    jobs = range(1, len(_requests(folder)) + 1)
    return "\n".join(f"{job}|COMPLETED" for job in jobs) if "--format=JobIdRaw,State" in arguments else ""


def _requests(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()]


def _rule(job: str) -> str:
    """The rule of a job that Snakemake names like `train_classifier:seed=1`."""
    return job.partition(":")[0]


if __name__ == "__main__":
    _, command, *rest = sys.argv
    if command in ("sbatch", "sacct"):
        print({"sbatch": sbatch, "sacct": sacct}[command](Path(os.environ["STAND_IN_SLURM"]), rest))
