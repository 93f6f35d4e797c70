"""What Snakemake takes to plan the full run, before and after all is made; and ten times as many chunks."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmark.harness import Stage

ROOT = Path(__file__).parents[2]
CHUNKS = (113, 1130)  # of BIOSCAN-1M; and of 11 million images
SNAKEMAKE = ["-m", "snakemake"]
# Or the scheduler would choose one job at a time among thousands.
ALL_TOGETHER = ["--cores", "100000", "--resources", "gpu=100000", "downloads=100000"]
# `--touch` waits for a tenth of a second before each job: a quarter of an hour for 8,000.
TOUCH_AT_ONCE = [
    "-c",
    "import snakemake.cli, snakemake.executors.touch as touch; touch.Executor.SLEEPING_TIME = 0; snakemake.cli.main()",
]


def prepare(folder: Path) -> None:
    """For each size an empty run, and one in which every file is there, empty, with Snakemake's notes on it."""
    for chunks in CHUNKS:
        for name in ("new", "made"):
            run = folder / f"{name}-{chunks}"
            run.mkdir()
            shutil.copy(ROOT / "config.yaml", run)
            rows = (f"{chunk}\tgdrive:{chunk}\t\t\n" for chunk in range(1, chunks + 1))
            (run / "chunks.tsv").write_text("chunk\tsource\tbytes\tchecksum\n" + "".join(rows))
        (folder / f"jobs-{chunks}").write_text(planned_jobs(folder / f"new-{chunks}"))
        for output in outputs(run):
            output.parent.mkdir(parents=True, exist_ok=True)
            output.touch()
        snakemake(run, "--touch", "--forceall", "--quiet", "all", *ALL_TOGETHER, main=TOUCH_AT_ONCE)


def stages() -> list[Stage]:
    """What is timed."""
    return [
        Stage(f"{what} of {chunks} chunks", {"ours": partial(plan, f"{name}-{chunks}")}, "jobs")
        for chunks in CHUNKS
        for what, name in (("dry run", "new"), ("nothing to do", "made"))
    ]


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


def jobs(folder: Path, chunks: int | str) -> int:
    """The number of jobs of a whole run."""
    return int((folder / f"jobs-{chunks}").read_text())


def planned_jobs(run: Path) -> str:
    """The total of the jobs that are planned there."""
    return re.findall(r"^total +(\d+)", snakemake(run, "--dry-run", "--quiet", "rules"), re.MULTILINE)[0]


def outputs(run: Path) -> list[Path]:
    """The files of a whole run."""
    lines = [line for line in snakemake(run, "--summary").splitlines() if "\t" in line]
    return [run / row["output_file"] for row in csv.DictReader(lines, delimiter="\t")]


def snakemake(run: Path, *arguments: str, main: Sequence[str] = SNAKEMAKE) -> str:
    """What Snakemake prints, on that run."""
    command = [sys.executable, *main, "--snakefile", "Snakefile", "--directory", str(run)]
    command += ["--profile", "profiles/demo", *arguments]
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{run}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr
