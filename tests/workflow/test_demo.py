"""`make demo`, as a new user types it in a new checkout."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from workflow_runs import copy_checkout

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def make_demo(checkout: Path) -> str:
    """What it prints."""
    done = subprocess.run(
        ["make", "demo"], cwd=checkout, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def test_the_demo_ends_with_its_results_and_a_second_call_does_nothing(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "bioscan1m")
    first = make_demo(checkout)
    accuracies = re.findall(r"_(?:order|family) .* (\d+\.\d\d) +\d+\.\d\d +\d+\.\d\d\n", first)
    assert len(accuracies) == 6 and min(map(float, accuracies)) > 70, first[-3000:]
    report = checkout / "runs/demo/results/report.html"
    assert str(report) in first and report.stat().st_size > 1_000_000
    assert "Nothing to be done" in make_demo(checkout)
