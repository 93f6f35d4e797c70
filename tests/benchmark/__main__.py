"""Run the benchmarks: `make bench`, or `python -m benchmark` with tests/ and workflow_scripts/ on the path."""

from __future__ import annotations

import argparse
import importlib
import logging
import tempfile
from pathlib import Path

from benchmark.harness import header, run_stages, write_results

SUITES = ("detector", "packages", "metadata", "training", "provenance")
RESULTS = Path(__file__).parents[2] / "results/bench"


def main() -> None:
    """Run the suites that the command line names, print their tables and write their results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", default=SUITES, help=f"of {', '.join(SUITES)}; default: all")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median counts; default: %(default)s")
    given = parser.parse_args()
    logging.disable(logging.INFO)
    for name in given.suites:
        suite = importlib.import_module(f"benchmark.{name}")
        with tempfile.TemporaryDirectory() as folder:
            suite.prepare(Path(folder))
            print(header())
            results = run_stages(suite.stages(), Path(folder), given.rounds)
            more = suite.further(Path(folder))
        for what, values in more.items():
            print(f"{what.replace('_', ' ')}: {values}")
        write_results(RESULTS / f"{name}.json", results, more)


if __name__ == "__main__":
    main()
