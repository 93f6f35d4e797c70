"""What a call of Snakemake planned for its jobs, which each job compares with what it finds when it starts.

A job of a cluster reads config, manifest and code when it starts, which may be days after it was planned, and Snakemake
notes the planned parameters whatever the job used. So the process that plans writes all planned parameters into a file
of the run folder, named by the digest of its content, and hands the name on to the jobs in an environment variable. A
job that finds other parameters or other code stops.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bioscan1m.foundation.atomic import replace_text
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.jobs.recipe import as_recorded
from bioscan1m.jobs.records import Record

VARIABLE = "BIOSCAN1M_PLAN"  # the path of the plan of a job's call
PLANS = Path(".snakemake/plans")
KEPT_DAYS = 60  # longer than a job waits in a queue
MOST_LETTERS = 100  # of a value in a message
MOST_NAMED = 8  # differences in a message
ABSENT = "not there"


@dataclass(frozen=True)
class PlannedJob:
    """The parameters of a job that are a reason to run it again, its digest of the code among them as `code`.

    `unwatched` names the other parameters. `in_run` is false of a job that no target asks for any more.
    """

    rule: str
    parameters: dict[str, Any]
    unwatched: tuple[str, ...]
    in_run: bool


@dataclass(frozen=True)
class JobPlan:
    """The planned jobs by the paths of their records; the config, and the code by the names of its scripts.

    A file that no target asks for can be asked for by its name: its job is in no plan, and compares the whole config.
    """

    jobs: dict[str, PlannedJob]
    config: dict[str, Any]
    code: dict[str, str]


@dataclass(frozen=True)
class Difference:
    """A value that is another one than was planned; `name` has the keys that lead to it, with points between them."""

    name: str
    planned: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.name}: {short(self.planned)} planned, {short(self.found)} found"


def differences(planned: Mapping[str, Any], found: Mapping[str, Any], prefix: str = "") -> Iterator[Difference]:
    """Where two nested mappings differ: the innermost values, in the order of their keys."""
    for key in dict.fromkeys([*planned, *found]):
        name, before, now = f"{prefix}{key}", planned.get(key, ABSENT), found.get(key, ABSENT)
        if isinstance(before, dict) and isinstance(now, dict):
            yield from differences(before, now, f"{name}.")
        elif before != now:
            yield Difference(name, before, now)


def write_plan(plan: JobPlan, folder: Path = PLANS) -> Path:
    """Write a plan, without secrets, into a folder; return its path. Plans of more than 60 days ago are removed."""
    jobs = {path: asdict(job) | {"parameters": as_recorded(job.parameters)} for path, job in plan.jobs.items()}
    text = json.dumps({"config": as_recorded(plan.config), "code": plan.code, "jobs": jobs}, ensure_ascii=False)
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    for old in folder.glob("*.json"):
        with suppress(FileNotFoundError):  # another call has just removed it
            if old.stat().st_mtime < time.time() - KEPT_DAYS * 86_400:
                old.unlink()
    replace_text(path, text)  # two calls of one config write one file
    return path


def read_plan(path: str | Path) -> JobPlan:
    """Read a plan. Raises InputError where it is not there or is none."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        jobs = {
            record: PlannedJob(**job | {"unwatched": tuple(job["unwatched"])})
            for record, job in content["jobs"].items()
        }
        return JobPlan(jobs, content["config"], content["code"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: the plan of this job cannot be read ({type(error).__name__}: {error}); start the run again"
        ) from None


def parameters_made_by(record: Record, job: PlannedJob) -> dict[str, Any]:
    """The parameters and code that made the files of a record, of those that are a reason to run its job today."""
    left_out = {*job.unwatched, *(name for name in record.content.get("unwatched", []) if name not in job.parameters)}
    values = record.parameters | {"code": record.content["code"]}
    return {name: value for name, value in values.items() if name not in left_out}


def other_parameters(record: Record, job: PlannedJob) -> list[Difference]:
    """Where the parameters that made the files of a record are not those of today's plan; the code is left out."""
    planned, made_by = as_recorded(job.parameters), parameters_made_by(record, job)
    return [one for one in differences(planned, made_by) if one.name != "code"]


def require_as_planned(snakemake: Any) -> None:
    """Compare a job with the plan of its call, if Snakemake started it.

    Raises InputError, with the names of what differs, where parameters or code are not those that were planned.
    """
    if VARIABLE not in os.environ:
        return
    plan = read_plan(os.environ[VARIABLE])
    planned = plan.jobs.get(str(snakemake.output.record))
    config = list(differences(plan.config, as_recorded(snakemake.config)))
    if planned is None:
        other = [*config, *_other_code(plan.code, snakemake.params["code"])]
    else:
        found = {name: value for name, value in snakemake.params.items() if name not in planned.unwatched}
        if "code" in found:
            found["code"] = code_digest(_script(found["code"]))  # as it is on the disk now
        other = _named_by_config(list(differences(planned.parameters, as_recorded(found))), config)
    if other:
        listed = "; ".join(map(str, other[:MOST_NAMED])) + ("; and more" if len(other) > MOST_NAMED else "")
        raise InputError(
            f"changed since this job was planned: {listed}. Nothing was made; start the run again, which plans it anew"
        )


def _script(code: str) -> str:
    """The name of the script in a digest of code."""
    return code.partition(":")[0]


def _other_code(planned: Mapping[str, str], code: str) -> Iterator[Difference]:
    script = _script(code)
    if planned.get(script) != code_digest(script):
        yield Difference("code", planned.get(script, ABSENT), code_digest(script))


def _named_by_config(parameters: list[Difference], config: list[Difference]) -> list[Difference]:
    """Differences between parameters, by the key of the config where one has the same name and values."""

    def key(difference: Difference) -> tuple[str, str]:
        return difference.name.rpartition(".")[2], repr((difference.planned, difference.found))

    keys = {key(difference): difference for difference in config}
    return list(dict.fromkeys(keys.get(key(difference), difference) for difference in parameters))


def short(value: Any) -> str:
    """A value in a message."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}..."
