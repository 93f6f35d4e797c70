"""Time stages in fresh processes and put them into one table.

A stage has up to three variants: ours, the reference (the naive way) and the limit (a bare kernel of the same work).
Each runs in a process of its own, one after the other, and all of them again in every round, so that a machine that
slows down slows them all; figures are medians over the rounds. Peak memory is that of the variant's process,
or of the largest one that it started.
"""

from __future__ import annotations

import inspect
import json
import math
import multiprocessing
import os
import platform
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bioscan1m.foundation.atomic import write_json
from bioscan1m.jobs.environment import machine, now, software, source_state

BYTES_PER_KIB, BYTES_PER_GB = 1024, 1e9
QUARTER = 1 / 4
VARIANTS = ("ours", "reference", "limit")
NAME_WIDTH, WIDTH = 43, 11  # characters of the table's columns
SECONDS_PER_STAGE = 60  # no further round of a stage begins after so long

# Given the folder with the prepared input, make ready, and return the work to be timed; it returns what it counted.
Prepare = Callable[[Path], Callable[[], int]]


@dataclass(frozen=True)
class Stage:
    """What is timed, under which name; variants are of VARIANTS, and work is counted in `unit`."""

    name: str
    variants: Mapping[str, Prepare]
    unit: str = "images"
    scales: bool = False  # whether ours is also timed on one core, and on a quarter of the data


@dataclass(frozen=True)
class Timed:
    """One variant of a stage: what it does; units per second (median) and bytes of memory (the peak) of its rounds."""

    what: str
    rate: float
    peak_memory: int
    rounds: int


def run_stages(stages: list[Stage], folder: Path, rounds: int) -> dict[str, dict[str, Timed]]:
    """Stage -> variant -> what was measured; `folder` holds what the stages' preparations read.

    A stage has `rounds` rounds, or fewer if they take long. The table goes to the standard output, each figure to the
    error output as soon as it is there.
    """
    results = {}
    for stage in stages:
        results[stage.name] = _run_stage(stage, folder, rounds)
        print(row(stage, results[stage.name]), flush=True)
    return results


def _run_stage(stage: Stage, folder: Path, rounds: int) -> dict[str, Timed]:
    runs = {variant: [] for variant in stage.variants}
    start = time.monotonic()
    for _ in range(rounds):
        if time.monotonic() - start > SECONDS_PER_STAGE:
            break
        for variant, prepare in stage.variants.items():
            runs[variant].append(_in_fresh_process(prepare, folder))
            print(f"{stage.name}, {variant}: {_number(runs[variant][-1][0])}/s", file=sys.stderr, flush=True)
    return {variant: summarise(stage.variants[variant], timed) for variant, timed in runs.items()}


def summarise(prepare: Prepare, timed: list[tuple[float, int]]) -> Timed:
    """What came of the rounds of a variant."""
    rates, memory = zip(*timed, strict=True)
    return Timed(meaning(prepare), statistics.median(rates), max(memory), len(timed))


def meaning(prepare: Prepare) -> str:
    """What a variant does, as the docstring of its function says."""
    return inspect.getdoc(prepare.func if isinstance(prepare, partial) else prepare)


@dataclass(frozen=True)
class Scaling:
    """How a stage grows: units per second on one core and on all, and on a quarter of the data and all of them."""

    one_core: float
    all_cores: float
    quarter: float

    @property
    def speedup(self) -> float:
        """Of all cores over one."""
        return self.all_cores / self.one_core

    @property
    def slope(self) -> float:
        """The exponent by which the time grows with the data: 1 is in proportion."""
        return 1 - math.log(self.all_cores / self.quarter) / math.log(1 / QUARTER)


def scale_stages(
    stages: list[Stage], timed: dict[str, dict[str, Timed]], folder: Path, small: Path
) -> dict[str, Scaling]:
    """Stage -> its scaling, of those that scale; `small` holds a quarter of the data."""
    return {
        stage.name: Scaling(
            one_core=_in_fresh_process(stage.variants["ours"], folder, 1)[0],
            all_cores=timed[stage.name]["ours"].rate,
            quarter=_in_fresh_process(stage.variants["ours"], small)[0],
        )
        for stage in stages
        if stage.scales
    }


def scaling_row(name: str, scaling: Scaling) -> str:
    """A line for a stage."""
    figures = map(_number, (scaling.one_core, scaling.all_cores, scaling.speedup))
    return _line(name, [*figures, f"{scaling.slope:.2f}"])


def scaling_header() -> str:
    """The head of the lines of `scaling_row`."""
    return _line("scaling; slope 1: time grows as the data", ["1 core/s", f"{cores()} cores/s", "speed-up", "slope"])


def header() -> str:
    """The head of the table that `run_stages` prints row by row."""
    rates, ratios = ["ours/s", "ref/s", "limit/s"], ["ours/ref", "ours/limit"]
    return _line("stage (unit)", [*rates, *ratios, "ours GB", "ref GB", "limit GB"])


def row(stage: Stage, timed: Mapping[str, Timed]) -> str:
    """The line of a stage under that head."""
    variants = [timed.get(variant) for variant in VARIANTS]
    rates = [one and one.rate for one in variants]
    ratios = [rate and rates[0] / rate for rate in rates[1:]]
    peaks = [one and one.peak_memory / BYTES_PER_GB for one in variants]
    return _line(f"{stage.name} ({stage.unit})", map(_number, (*rates, *ratios, *peaks)))


def meanings(results: Mapping[str, Mapping[str, Timed]]) -> list[str]:
    """A line for each reference (ref) and each limit of the table: what it does."""
    return [
        f"{stage}, {variant}: {variants[variant].what}"
        for stage, variants in results.items()
        for variant in VARIANTS[1:]
        if variant in variants
    ]


def write_results(
    path: Path,
    results: Mapping[str, Mapping[str, Timed]],
    scaled: Mapping[str, Scaling],
    more: Mapping[str, Any],
) -> None:
    """Write everything as JSON with the machine's description."""
    stages = {
        stage: {
            variant: {
                "what": timed.what,
                "rate": round(timed.rate, 3),
                "peak_memory_bytes": timed.peak_memory,
                "rounds": timed.rounds,
            }
            for variant, timed in variants.items()
        }
        for stage, variants in results.items()
    }
    described = {**machine(), "python": platform.python_version()}
    write_json(
        path,
        {
            "measured": now(),
            "machine": described,
            "software": software(),
            "source": source_state(),
            "stages": stages,
            "scaling": {
                stage: {**asdict(one), "speedup": one.speedup, "slope": one.slope} for stage, one in scaled.items()
            },
            **more,
        },
    )


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def new_file(path: Path) -> Path:
    """A path at which nothing is, as a job of Snakemake finds it: to clear a large file away takes long."""
    path.unlink(missing_ok=True)
    return path


def median_seconds(work: Callable[[], object], rounds: int = 3) -> float:
    """Median wall time of some calls in this process."""
    return statistics.median(_seconds(work)[0] for _ in range(rounds))


def _line(name: str, figures: Iterable[str]) -> str:
    return f"{name:{NAME_WIDTH}}" + "".join(f"{figure:>{WIDTH}}" for figure in figures)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _in_fresh_process(prepare: Prepare, folder: Path, most_cores: int | None = None) -> tuple[float, int]:
    """Units per second and peak memory in bytes."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(prepare, folder, sender))
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(ours)[:most_cores])  # a new process has those of its parent
    process.start()
    os.sched_setaffinity(0, ours)
    sender.close()
    try:
        return json.loads(receiver.recv())
    except EOFError:
        raise SystemExit(f"{prepare} failed; its message is above") from None
    finally:
        process.join()


def _measure(prepare: Prepare, folder: Path, sender: Any) -> None:
    work = prepare(folder)
    os.sync()  # or the disk would still be busy with what the variant before this one wrote
    seconds, units = _seconds(work)
    # A process inherits the ru_maxrss of the one that started it; the kernel's own mark begins anew.
    (own,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    peak = max(int(own), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) * BYTES_PER_KIB
    sender.send(json.dumps([units / seconds, peak]))


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result
