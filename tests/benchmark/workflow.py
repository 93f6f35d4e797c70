"""What Snakemake takes to plan the full run, before and after all is made; and ten times as many chunks.

The limit is a plain workflow of as many jobs: it has no functions, no config and no manifest. There is no naive way to
plan but by Snakemake.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

from benchmark.harness import Prepare, Stage

ROOT = Path(__file__).parents[2]
CHUNKS = (113, 1130)  # of BIOSCAN-1M; and of 11 million images
SNAKEMAKE = ["-m", "snakemake"]
BARE_RULES = 6  # a chunk has about as many: fetched, detected, cropped, resized twice, its quarantine joined
BARE_RULE = """
rule step_{step}:
    input: {before}
    output: "step_{step}/{{n}}.zip", "step_{step}/{{n}}.tsv", record="step_{step}/{{n}}.json"
    log: "step_{step}/{{n}}.log"
    threads: 8
    resources: mem_mb=4000, runtime=60
    params: code="step_{step}"
    script: "step.py"
"""
# Or the scheduler would choose one job at a time among thousands.
ALL_TOGETHER = ["--cores", "100000", "--resources", "gpu=100000", "downloads=100000"]
# `--touch` waits for a tenth of a second before each job: a quarter of an hour for 8,000.
TOUCH_AT_ONCE = [
    "-c",
    "import snakemake.cli, snakemake.executors.touch as touch; touch.Executor.SLEEPING_TIME = 0; snakemake.cli.main()",
]


def prepare(folder: Path) -> None:
    """For each size, of this workflow and of the plain one, an empty run and one in which every file is there."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(prepare_runs, folder), CHUNKS))


def prepare_runs(folder: Path, chunks: int) -> None:
    """The runs of a size, and the number of their jobs."""
    for state in ("new", "made"):
        write_run(folder / f"ours-{state}-{chunks}", chunks)
    made = folder / f"ours-made-{chunks}"
    (folder / f"ours-jobs-{chunks}").write_text(str(make_empty(made, outputs(made))))
    for state in ("new", "made"):
        bare = write_bare_run(folder / f"bare-{state}-{chunks}", jobs(folder, "ours", chunks) // BARE_RULES)
    (folder / f"bare-jobs-{chunks}").write_text(str(make_empty(folder / f"bare-made-{chunks}", bare)))


def write_run(run: Path, chunks: int) -> None:
    """The full run's config, and a manifest of so many chunks."""
    run.mkdir()
    shutil.copy(ROOT / "config.yaml", run)
    rows = (f"{chunk}\tgdrive:{chunk}\t\t\n" for chunk in range(1, chunks + 1))
    (run / "chunks.tsv").write_text("chunk\tsource\tbytes\tchecksum\n" + "".join(rows))


def write_bare_run(run: Path, chunks: int) -> list[Path]:
    """The plain workflow, for so many chunks; its outputs."""
    run.mkdir()
    wanted = f"collect('step_{BARE_RULES}/{{n}}.json', n=range({chunks}))"
    rules = [f"rule all:\n    input: {wanted}\n"]
    for step in range(1, BARE_RULES + 1):
        before = f'"step_{step - 1}/{{n}}.zip"' if step > 1 else ""
        rules.append(BARE_RULE.format(step=step, before=before))
    (run / "Snakefile").write_text("".join(rules))
    (run / "step.py").touch()
    names = product(range(1, BARE_RULES + 1), range(chunks), ("zip", "tsv", "json"))
    return [run / f"step_{step}/{chunk}.{kind}" for step, chunk, kind in names]


def make_empty(run: Path, outputs: list[Path]) -> int:
    """Put these files there, empty, with Snakemake's notes on them; the number of jobs."""
    for output in outputs:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.touch()
    said = snakemake(run, "--touch", "--forceall", "--quiet", "rules", *ALL_TOGETHER, main=TOUCH_AT_ONCE)
    return int(re.findall(r"^total +(\d+)", said, re.MULTILINE)[0])


def stages() -> list[Stage]:
    """What is timed."""
    states = {"new": "dry run", "made": "nothing to do"}
    return [
        Stage(f"{name} of {chunks} chunks", planning(state, chunks), "jobs")
        for chunks in CHUNKS
        for state, name in states.items()
    ]


def planning(state: str, chunks: int) -> dict[str, Prepare]:
    """The variants of a plan."""
    return {"ours": partial(plan, state, chunks), "limit": partial(plan_bare, state, chunks)}


def further(folder: Path) -> dict[str, object]:
    """Jobs and files of each size."""
    files = {chunks: sum(path.is_file() for path in (folder / f"ours-made-{chunks}").rglob("*")) for chunks in CHUNKS}
    return {"jobs": {chunks: jobs(folder, "ours", chunks) for chunks in CHUNKS}, "files": files}


def plan(state: str, chunks: int, folder: Path) -> Callable[[], int]:
    """A dry run; it counts the jobs of the whole run, whether or not they are to be done."""
    return _plan(folder, "ours", state, chunks)


def plan_bare(state: str, chunks: int, folder: Path) -> Callable[[], int]:
    """A dry run of a plain workflow of as many jobs: no functions, no config, no manifest."""
    return _plan(folder, "bare", state, chunks)


def _plan(folder: Path, workflow: str, state: str, chunks: int) -> Callable[[], int]:
    run, count = folder / f"{workflow}-{state}-{chunks}", jobs(folder, workflow, chunks)

    def work() -> int:
        said = snakemake(run, "--dry-run", "--quiet", "rules")
        if ("Nothing to be done" in said) != (state == "made"):
            raise SystemExit(f"{run.name}: planned is\n{said[-3000:]}")
        return count

    return work


def jobs(folder: Path, workflow: str, chunks: int) -> int:
    """The number of jobs of a whole run."""
    return int((folder / f"{workflow}-jobs-{chunks}").read_text())


def outputs(run: Path) -> list[Path]:
    """The files of a whole run."""
    lines = [line for line in snakemake(run, "--summary").splitlines() if "\t" in line]
    return [run / row["output_file"] for row in csv.DictReader(lines, delimiter="\t")]


def snakemake(run: Path, *arguments: str, main: Sequence[str] = SNAKEMAKE) -> str:
    """What Snakemake prints, on that run, of the workflow in its folder or else of this one."""
    snakefile = next(path for folder in (run, ROOT) if (path := folder / "Snakefile").exists())
    command = [sys.executable, *main, "--snakefile", str(snakefile), "--directory", str(run)]
    command += ["--profile", "profiles/demo", *arguments]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{run}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr
