"""A training that is killed by its time limit goes on, one killed by its memory limit gets more, and both end.

The cluster keeps accounts here, and the executor asks these for the state of jobs.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml
from accounting import why_no_accounting
from cluster import Cluster, why_not
from slurm_runs import MODEL, cut_by_its_time, finished, head, log_of_training, make_site

from workflow_runs import EXPERIMENT, write_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
    pytest.mark.skipif(why_no_accounting() is not None, reason=str(why_no_accounting())),
]

ASK_ACCOUNTING = {"slurm-status-command": "sacct"}

CUTS = 3  # by the time limit; the profile alone allows one further attempt


def trainings(cluster: Cluster, run: Path) -> list[dict[str, str]]:
    """The jobs that trained in this folder, in their order."""
    return sorted((job for job in cluster.jobs() if job["WorkDir"] == str(run)), key=lambda job: int(job["JobId"]))


def test_a_training_that_runs_out_of_time_goes_on_as_often_as_needed(
    cluster: Cluster, run: Path, tmp_path: Path, model_of_a_calm_training: bytes
) -> None:
    """On a cluster with jobs of an hour: more often than the profile tries jobs again."""
    write_config(run, yaml.safe_load((run / "config.yaml").read_text()) | {"longest_job_hours": 1})
    site = make_site(cluster, tmp_path / "site", **ASK_ACCOUNTING)
    with head(site, run, MODEL) as process:
        cut: list[str] = []
        while len(cut) < CUTS:
            cut.append(cut_by_its_time(cluster, run, cut, "now"))
        status, output = finished(process)
    assert status == 0, output[-4000:]
    jobs = trainings(cluster, run)
    assert [job["JobState"] for job in jobs] == [*["TIMEOUT"] * CUTS, "COMPLETED"]
    assert jobs[-1]["TimeLimit"] == "01:00:00"  # that of the others was cut
    assert "SLURM status is: 'TIMEOUT'" in output and "going on after epoch" in log_of_training(run)
    assert (run / MODEL).read_bytes() == model_of_a_calm_training


def test_a_training_that_runs_out_of_memory_begins_again_with_more(
    cluster: Cluster, run: Path, tmp_path: Path, model_of_a_calm_training: bytes
) -> None:
    too_little = {"train_classifier": {"mem_mb": "300 if attempt == 1 else 16000"}}  # for its libraries alone
    site = make_site(cluster, tmp_path / "site", **ASK_ACCOUNTING, **{"set-resources": too_little})
    with head(site, run, MODEL) as process:
        status, output = finished(process)
    assert status == 0, output[-4000:]
    first, second = trainings(cluster, run)
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("300M", "16000M")
    assert first["JobState"] != "COMPLETED" and second["JobState"] == "COMPLETED"
    (log,) = (run / "logs/slurm").rglob(f"{first['JobId']}.log")
    assert "exceeded memory limit" in log.read_text() and str(log) in output
    assert (run / MODEL).read_bytes() == model_of_a_calm_training
    check_efficiency_report(run)


def check_efficiency_report(run: Path) -> None:
    """It names the rule of each job, and how much of its memory a job used."""
    newest = max((run / "logs/efficiency").glob("*.csv"), key=lambda path: path.stat().st_mtime)
    jobs = pd.read_csv(newest)
    assert jobs["RuleName"].str.startswith(f"rule_train_classifier_wildcards_{EXPERIMENT}").all()
    assert jobs["MaxRSS_MB"].max() > 300
