"""Whatever code of the library a job runs, a change of it changes the digest of the job's script.

The other direction, what changes no digest, is in tests/unit/provenance/test_code_edits.py; here it is tried on jobs.
"""

from __future__ import annotations

import ast
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from bioscan1m.jobs.code_digest import LIBRARY, SCRIPTS, Code
from computing_code import Mutation, mark, marks_of_a_run, mutations
from recorded_run import RecordedRun, record_run
from workflow_runs import REPOSITORY, copy_checkout

pytestmark = [pytest.mark.slow, pytest.mark.workflow]

SEED = 1
MUTATIONS = 30
# Scripts with much of the library below them, whose jobs take seconds.
REPRODUCED = ("build_splits", "crop_chunk", "draw_experiment", "test_classifier")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> RecordedRun:
    """A run of every rule."""
    return record_run(tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("lines"))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The project's workflow_scripts, to edit."""
    return Path(shutil.copytree(SCRIPTS, tmp_path / "workflow_scripts", ignore=shutil.ignore_patterns("__pycache__")))


def sources() -> dict[str, str]:
    """File of the library -> its content."""
    return {path.relative_to(SCRIPTS).as_posix(): path.read_text(encoding="utf-8") for path in LIBRARY.rglob("*.py")}


def test_every_script_of_a_rule_ran(recorded: RecordedRun) -> None:
    rules = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "rules").glob("*.smk"))
    assert set(recorded.lines) == set(re.findall(r'code_digest\("(\w+)"\)', rules))


def test_a_mutation_changes_the_digest_of_every_script_that_ran_it(recorded: RecordedRun, copied: Path) -> None:
    missed = []
    for mutation in mutations_that_ran(recorded, SEED)[:MUTATIONS]:
        ran = recorded.scripts_that_ran(mutation.file, mutation.lines)
        changed = changed_by(mutation, copied, recorded.lines)
        print(f"{mutation}\n    ran in {sorted(ran)}\n    changes {sorted(changed)}")
        missed += [(mutation, script) for script in sorted(ran - changed)]
    assert missed == []


def mutations_that_ran(recorded: RecordedRun, seed: int | str) -> list[Mutation]:
    """All mutations of what jobs ran, in a random order."""
    found = (one for file, source in sorted(sources().items()) for one in mutations(file, source))
    ran = [one for one in found if recorded.scripts_that_ran(one.file, one.lines)]
    return random.Random(seed).sample(ran, len(ran))


def changed_by(mutation: Mutation, copied: Path, scripts: Iterable[str]) -> set[str]:
    """Those of the scripts whose digest a mutation changes."""
    path = copied / mutation.file
    source = path.read_text(encoding="utf-8")
    path.write_text(mutation.of(source), encoding="utf-8")
    mutated = Code(copied)
    changed = {script for script in scripts if mutated.digest(script) != digest_now(script)}
    path.write_text(source, encoding="utf-8")
    return changed


@cache
def digest_now(script: str) -> str:
    """Of the code as it is."""
    return Code(SCRIPTS).digest(script)


def test_every_statement_that_a_script_ran_is_in_what_its_digest_is_of(recorded: RecordedRun, copied: Path) -> None:
    trees = {file: ast.parse(source) for file, source in sources().items()}
    expected = {script: marks_of_a_run(lines, trees) for script, lines in recorded.lines.items()}
    for file, tree in trees.items():
        mark(tree, file)
        (copied / file).write_text(ast.unparse(tree), encoding="utf-8")
    code = Code(copied)
    missed = {}
    for script, marks in expected.items():
        content = code.content(script)
        missed[script] = [one for one in sorted(marks) if one not in content]
    assert sum(map(len, expected.values())) > 5000
    assert {script: marks for script, marks in missed.items() if marks} == {}


@pytest.mark.parametrize("script", REPRODUCED)
def test_a_mutation_that_leaves_the_digest_as_it_is_leaves_the_bytes(
    recorded: RecordedRun, copied: Path, script: str, tmp_path: Path
) -> None:
    mutation = next(one for one in mutations_beside(script, recorded) if not changed_by(one, copied, [script]))
    print(mutation)
    checkout = copy_checkout(tmp_path / "checkout")
    path = checkout / SCRIPTS.name / mutation.file
    path.write_text(mutation.of(path.read_text(encoding="utf-8")), encoding="utf-8")
    command = [sys.executable, "workflow_scripts/reproduce_job.py", recorded.folder, an_output(recorded.folder, script)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal\t" in done.stdout and "code was" not in done.stdout


def mutations_beside(script: str, recorded: RecordedRun) -> Iterator[Mutation]:
    """Mutations of what other scripts ran, in modules that a script imports and that do not plan or record jobs."""
    code = Code(SCRIPTS)
    rules = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "rules").glob("*.smk"))
    planning = {
        "reproduce_job",
        f"{LIBRARY.name}.jobs.context",
        *re.findall(rf"from ({LIBRARY.name}[.\w]+) import", rules),
    }
    modules = code.imported_for(script) - set().union(*map(code.imported_for, planning))
    files = {f"{module.replace('.', '/')}.py" for module in modules}
    for mutation in mutations_that_ran(recorded, f"{SEED} {script}"):
        if mutation.file in files and script not in recorded.scripts_that_ran(mutation.file, mutation.lines):
            yield mutation


def an_output(run: Path, script: str) -> str:
    """What a job of a script made."""
    for path in sorted((run / "results/provenance/records").rglob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["code"].startswith(f"{script}:"):
            return record["outputs"][0]["path"]
    raise AssertionError(f"no record of {script}")
