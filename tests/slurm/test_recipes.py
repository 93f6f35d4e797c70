"""The recipes of docs/cluster.md for sites with short jobs: a training cut by its time ends with the same model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster import Cluster, why_not
from slurm_runs import MODEL, cut_by_its_time, finished, head, log_of_training, make_site

from workflow_runs import REPOSITORY, write_config

pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]

ROW = re.compile(r"^\| (\d+) (hours|days) \| `(.*?)` \| (?:`(.*?)`|nothing.*?) \|$", re.MULTILINE)
CUTS = 2
# Of jobs that do not end at their limit but 120 s before, by --signal.
EARLIER = {"now": "TIMEOUT", "now+100seconds": "FAILED"}


def recipes() -> list[Any]:
    """Hours that a job may take, the lines of the config, those of the profile."""
    found = ROW.findall((REPOSITORY / "docs/cluster.md").read_text(encoding="utf-8"))
    return [
        pytest.param(int(number) * (24 if unit == "days" else 1), yaml.safe_load(config), yaml.safe_load(profile) or {})
        for number, unit, config, profile in found
    ]


def test_there_are_three_recipes() -> None:
    assert [recipe.values[0] for recipe in recipes()] == [3, 24, 168]


@pytest.mark.parametrize(("hours", "config", "profile"), recipes())
def test_a_training_that_is_cut_by_its_time_ends_with_the_same_model(
    cluster: Cluster, run: Path, tmp_path: Path, model_of_a_calm_training: bytes, hours: int, config: Any, profile: Any
) -> None:
    write_config(run, yaml.safe_load((run / "config.yaml").read_text()) | config)
    end = "now+100seconds" if "--signal" in str(profile) else "now"
    cut: list[str] = []
    with head(make_site(cluster, tmp_path / "site", **profile), run, MODEL) as process:
        while len(cut) < CUTS:
            cut.append(cut_by_its_time(cluster, run, cut, end))
        status, output = finished(process)
    assert status == 0, output[-4000:]
    jobs = {job["JobId"]: job for job in cluster.jobs() if job["WorkDir"] == str(run)}
    (last,) = jobs.keys() - set(cut)
    assert [jobs[job]["JobState"] for job in cut] == [EARLIER[end]] * CUTS
    assert jobs[last]["TimeLimit"] == ("03:00:00" if hours == 3 else "1-00:00:00")
    for job in cut:
        (log,) = (run / "logs/slurm").rglob(f"{job}.log")
        assert "the job was asked to end (SIGTERM)" in log.read_text()
    assert "going on after epoch" in log_of_training(run)
    assert (run / MODEL).read_bytes() == model_of_a_calm_training
