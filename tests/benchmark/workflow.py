"""What Snakemake takes to plan the full run, before and after all is made; and ten times as many chunks.

The limit is a plain workflow of as many jobs: it has no functions, no config and no manifest.
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
from pathlib import Path

from benchmark.harness import Stage

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
    """For each size an empty run, and one in which every file is there, empty, with Snakemake's notes on it."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(prepare_runs, folder), CHUNKS))


def prepare_runs(folder: Path, chunks: int) -> None:
    """The two runs of a size, and the number of their jobs."""
    for name in ("new", "made"):
        run = folder / f"{name}-{chunks}"
        run.mkdir()
        shutil.copy(ROOT / "config.yaml", run)
        rows = (f"{chunk}\tgdrive:{chunk}\t\t\n" for chunk in range(1, chunks + 1))
        (run / "chunks.tsv").write_text("chunk\tsource\tbytes\tchecksum\n" + "".join(rows))
    for output in outputs(run):
        output.parent.mkdir(parents=True, exist_ok=True)
        output.touch()
    said = snakemake(run, "--touch", "--forceall", "--quiet", "rules", *ALL_TOGETHER, main=TOUCH_AT_ONCE)
    (folder / f"jobs-{chunks}").write_text(re.findall(r"^total +(\d+)", said, re.MULTILINE)[0])


def stages() -> list[Stage]:
    """What is timed."""
    of_sizes = []
    for chunks in CHUNKS:
        new = {"ours": partial(plan, f"new-{chunks}"), "limit": partial(plan_bare, chunks)}
        of_sizes.append(Stage(f"dry run of {chunks} chunks", new, "jobs"))
        of_sizes.append(Stage(f"nothing to do of {chunks} chunks", {"ours": partial(plan, f"made-{chunks}")}, "jobs"))
    return of_sizes


def further(folder: Path) -> dict[str, object]:
    """Jobs and files of each size."""
    files = {chunks: sum(path.is_file() for path in (folder / f"made-{chunks}").rglob("*")) for chunks in CHUNKS}
    return {"jobs": {chunks: jobs(folder, chunks) for chunks in CHUNKS}, "files": files}


def plan(name: str, folder: Path) -> Callable[[], int]:
    """A dry run; it counts the jobs of the whole run, whether or not they are to be done."""
    count = jobs(folder, name.rpartition("-")[2])

    def work() -> int:
        said = snakemake(folder / name, "--dry-run", "--quiet", "rules")
        if name.startswith("made") and "Nothing to be done" not in said:
            raise SystemExit(f"{name}: there is something to do\n{said[-3000:]}")
        return count

    return work


def plan_bare(chunks: int, folder: Path) -> Callable[[], int]:
    """A dry run of the plain workflow."""
    run, count = folder / f"bare-{chunks}", jobs(folder, chunks)
    run.mkdir(exist_ok=True)
    wanted = f"collect('step_{BARE_RULES}/{{n}}.json', n=range({count // BARE_RULES}))"
    rules = [f"rule all:\n    input: {wanted}\n"]
    for step in range(1, BARE_RULES + 1):
        before = f'"step_{step - 1}/{{n}}.zip"' if step > 1 else ""
        rules.append(BARE_RULE.format(step=step, before=before))
    (run / "Snakefile").write_text("".join(rules))
    (run / "step.py").touch()

    def work() -> int:
        snakemake(run, "--dry-run", "--quiet", "rules", snakefile=run / "Snakefile")
        return count // BARE_RULES * BARE_RULES

    return work


def jobs(folder: Path, chunks: int | str) -> int:
    """The number of jobs of a whole run."""
    return int((folder / f"jobs-{chunks}").read_text())


def outputs(run: Path) -> list[Path]:
    """The files of a whole run."""
    lines = [line for line in snakemake(run, "--summary").splitlines() if "\t" in line]
    return [run / row["output_file"] for row in csv.DictReader(lines, delimiter="\t")]


def snakemake(run: Path, *arguments: str, main: Sequence[str] = SNAKEMAKE, snakefile: Path = ROOT / "Snakefile") -> str:
    """What Snakemake prints, on that run."""
    command = [sys.executable, *main, "--snakefile", str(snakefile), "--directory", str(run)]
    command += ["--profile", "profiles/demo", *arguments]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{run}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr
