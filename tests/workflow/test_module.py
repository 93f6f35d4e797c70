"""Another workflow uses this one as a module: its rules, under names of their own, and its files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from workflow_runs import REPOSITORY, planned_jobs

pytestmark = pytest.mark.workflow

SNAKEFILE = f"""
configfile: "config.yaml"


module bioscan1m:
    snakefile:
        "{REPOSITORY}/Snakefile"
    config:
        config


use rule * from bioscan1m as bioscan1m_*


rule count_rows:
    input:
        rules.bioscan1m_join_metadata.output.metadata,
    output:
        "rows.txt",
    shell:
        "wc -l < {{input}} > {{output}}"
"""


@pytest.fixture
def other_workflow(new_run: Path) -> Path:
    """A folder with a Snakefile of its own and the small run's input."""
    (new_run / "Snakefile").write_text(SNAKEFILE)
    return new_run


def run(folder: Path, *arguments: str) -> str:
    """Snakemake's output, in the folder of the other workflow."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


def test_its_rules_are_planned_and_run_from_there(other_workflow, small_run) -> None:
    planned = planned_jobs(run(other_workflow, "bioscan1m_all", "--dry-run", "--quiet", "rules"))
    assert planned["bioscan1m_crop_chunk"] == 3 and planned["bioscan1m_train_classifier"] > 6
    run(other_workflow, "count_rows")
    metadata = "results/metadata/BIOSCAN_Insect_Dataset_metadata.tsv"
    assert (other_workflow / metadata).read_bytes() == (small_run / metadata).read_bytes()
    assert int((other_workflow / "rows.txt").read_text()) == len((small_run / metadata).read_text().splitlines())
    audit = [sys.executable, str(REPOSITORY / "workflow_scripts/audit_run.py"), str(other_workflow)]
    assert subprocess.run(audit, check=False, capture_output=True).returncode == 0
