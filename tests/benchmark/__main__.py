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
    meanings,
    run_stages,
    scale_stages,
    scaling_header,
    scaling_row,
    write_results,
)

SUITES = ("fetch", "detector", "packages", "metadata", "training", "provenance", "workflow")
# What a GPU computes; these suites need no packages but those that compute and that read images and tables.
GPU_SUITES = {
    "detector": "zip to boxes and to crops",
    "training": "input of training, training and test of ResNet-50 and ViT-B/16",
}
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
        skipped = "; ".join(f"{suite} ({what})" for suite, what in GPU_SUITES.items())
        print(f"No GPU here; skipped: {skipped}. On the CPU: make bench")
        return
    scaled, below = {}, []
    print(header())
    for name in given.suites or (GPU_SUITES if given.gpu else SUITES):
        of_suite, said = run_suite(RESULTS / f"{name}.json", importlib.import_module(f"benchmark.{name}"), given.rounds)
        scaled |= of_suite
        below += said
    if scaled:
        print("", scaling_header(), *(scaling_row(*one) for one in scaled.items()), sep="\n")
    print("", *below, sep="\n")


def run_suite(path: Path, suite: ModuleType, rounds: int) -> tuple[dict[str, Scaling], list[str]]:
    """Print the rows of a suite, write its results, and return how it scales and what is to be said below the table."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as small:
        suite.prepare(Path(folder))
        stages, scaled = suite.stages(), {}
        results = run_stages(stages, Path(folder), rounds)
        if any(stage.scales for stage in stages):
            suite.prepare(Path(small), share=QUARTER)
            scaled = scale_stages(stages, results, Path(folder), Path(small))
        more = suite.further(Path(folder))
    write_results(path, results, scaled, more)
    return scaled, [*meanings(results), *(f"{what.replace('_', ' ')}: {value}" for what, value in more.items())]


def has_gpu() -> bool:
    """Whether torch sees one."""
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    main()
