"""Run the benchmarks: `make bench`, or `python -m benchmark` with tests/ and workflow_scripts/ on the path."""

from __future__ import annotations

import argparse
import importlib
import logging
import tempfile
from pathlib import Path
from types import ModuleType

from benchmark.harness import (
    QUARTER,
    Scaling,
    header,
    run_stages,
    scale_stages,
    scaling_header,
    scaling_row,
    write_results,
)

SUITES = ("fetch", "detector", "packages", "metadata", "training", "provenance", "workflow")
GPU_SUITES = ("detector", "training")  # they need no package but those that compute, and PyYAML
RESULTS = Path(__file__).parents[2] / "results/bench"


def main() -> None:
    """Run the suites that the command line names, print one table and write their results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", help=f"of {', '.join(SUITES)}; default: all")
    parser.add_argument("--gpu", action="store_true", help="those that a GPU computes, if there is one")
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        help="rounds of a stage, of which the median counts; default: at most %(default)s",
    )
    given = parser.parse_args()
    logging.disable(logging.INFO)
    if given.gpu and not has_gpu():
        print(f"No GPU here: skipped the suites {', '.join(GPU_SUITES)}. On the CPU: make bench")
        return
    scaled, below = {}, []
    print(header())
    for name in given.suites or (GPU_SUITES if given.gpu else SUITES):
        of_suite, more = run_suite(name, importlib.import_module(f"benchmark.{name}"), given.rounds)
        scaled |= of_suite
        below += [f"{what.replace('_', ' ')}: {value}" for what, value in more.items()]
    if scaled:
        print("", scaling_header(), *(scaling_row(*one) for one in scaled.items()), sep="\n")
    print("", *below, sep="\n")


def run_suite(name: str, suite: ModuleType, rounds: int) -> tuple[dict[str, Scaling], dict[str, object]]:
    """Print the rows of a suite, write its results, and return how it scales and what is to be said below the table."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as small:
        suite.prepare(Path(folder))
        stages, scaled = suite.stages(), {}
        results = run_stages(stages, Path(folder), rounds)
        if any(stage.scales for stage in stages):
            suite.prepare(Path(small), share=QUARTER)
            scaled = scale_stages(stages, results, Path(folder), Path(small))
        more = suite.further(Path(folder))
    write_results(RESULTS / f"{name}.json", results, scaled, more)
    return scaled, more


def has_gpu() -> bool:
    """Whether torch sees one."""
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    main()
