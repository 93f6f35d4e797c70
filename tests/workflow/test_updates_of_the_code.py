"""After an update of the code: what runs again, what is accepted instead, and a run of the version before this one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from accept_update import accept_rules, describe_update
from bioscan1m.audit.evidence import read_evidence
from job_lists import CROPPED_ANEW, planned
from workflow_runs import REPOSITORY, planned_jobs, snakemake, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

# Records, ledger, config and Snakemake's notes of a small run; the README beside it says how it was made.
EARLIER = REPOSITORY / "tests/workflow/data/run_of_0.1.0.tar.xz"
STATE = "made by earlier code, accepted"


def command(checkout: Path, script: str, *arguments: object) -> str:
    """What a command of a checkout prints; it must succeed."""
    script = str(checkout / f"workflow_scripts/{script}.py")
    done = subprocess.run(
        [sys.executable, script, *map(str, arguments)], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# The dominant class is now that of the dataset, predictions need embeddings, and there are further figures and tables:
# inputs and outputs, which no acceptance of code covers. All but the embeddings takes seconds.
FURTHER_RESULTS = {
    *("embed_images", "form_prediction_sets"),
    *("draw_classes", "draw_experiment", "list_unusable_images", "summarise_dataset", "summarise_experiments"),
    *("render_experiments", "render_tables", "seal_records", "export_crate", "all"),
}


@pytest.fixture
def updated(checkout: Path) -> Path:
    """A checkout whose crops are computed by other code, and in which a message reads otherwise."""
    cropping = checkout / "workflow_scripts/crop_chunk.py"
    text = cropping.read_text()
    assert '"out": written' in text
    cropping.write_text(text.replace('"out": written', '"out": int(written)'))
    archives = checkout / "workflow_scripts/bioscan1m/foundation/archives.py"
    archives.write_text(archives.read_text().replace("not a readable zip file", "cannot be read as a zip file"))
    return checkout


def test_an_update_is_listed_accepted_and_taken_back(run: Path, updated: Path) -> None:
    """Of a finished run by the code that is there; all three commands are those of the updated checkout."""
    assert planned(run, "dataset", checkout=updated) == CROPPED_ANEW
    listed = command(updated, "accept_update", run)
    assert "crop_chunk" in listed and "detect_insects" not in listed
    command(updated, "accept_update", run, "--accept", "crop_chunk", "--why", "the same crops", "--who", "Ada")
    assert planned(run, checkout=updated) == {}
    findings = command(updated, "audit_run", run, "--format", "tsv")
    accepted = {line.split("\t")[0] for line in findings.splitlines() if f"\t{STATE}\t" in line}
    assert {Path(path).parts[1] for path in accepted} == {"cropped", "quarantine"}
    image = next(row[0] for row in _rows(run / "results/quarantine/part1.tsv"))
    trace = json.loads(command(updated, "trace_image", image, "--run", run, "--json"))
    assert [(one["rule"], one["who"], one["why"]) for one in trace["accepted"]] == [
        ("crop_chunk", "Ada", "the same crops")
    ]
    crate = json.loads((run / "results/ro-crate/ro-crate-metadata.json").read_text())["@graph"]
    (action,) = [entity for entity in crate if entity["@type"] == "AcceptAction"]
    assert len(action["object"]) == 3 and action["description"] == "the same crops"
    command(updated, "accept_update", run, "--take-back", "all", "--why", "they differ")
    assert planned(run, "dataset", checkout=updated) == CROPPED_ANEW


def _rows(table: Path) -> list[list[str]]:
    return [line.split("\t") for line in table.read_text().splitlines()[1:]]


@pytest.fixture
def earlier_run(tmp_path: Path) -> Path:
    """A run of version 0.1.0: what is committed of it, and files of the sizes and times that its records note."""
    run = tmp_path / "earlier run"
    with tarfile.open(EARLIER) as archive:
        archive.extractall(run, filter="data")
    for record in read_evidence(run).records:
        for file in (*record.inputs, *record.outputs):
            path = run / file["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.touch()
                os.truncate(path, file["bytes"])
            os.utime(path, ns=(file["mtime_ns"], file["mtime_ns"]))
    return run


def state_new_keys(run: Path) -> None:
    """As docs/updates.md says."""
    page = (REPOSITORY / "docs/updates.md").read_text(encoding="utf-8").split("## A run of version 0.1.0")[1]
    stated = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, flags=re.DOTALL)[1])
    config = yaml.safe_load((run / "config.yaml").read_text())
    del config["resize"]["short_side"]
    update_config(config, stated)
    write_config(run, config)


def test_a_run_of_the_version_before_is_taken_over(earlier_run: Path) -> None:
    refused = snakemake(earlier_run, "all", "--dry-run").stdout
    assert "'normalisation' is a required key" in refused and "std: [0.1265, 0.1430, 0.1610]" in refused
    state_new_keys(earlier_run)
    again = planned_jobs(snakemake_succeeds(earlier_run, "all", "--dry-run", "--quiet", "host"))
    assert {"detect_insects", "crop_chunk", "train_classifier"} <= set(again)
    assert "train_classifier" in describe_update(earlier_run)
    accept_rules(earlier_run, ["all"], "Ada", "taken over from version 0.1.0")
    assert set(planned(earlier_run)) == FURTHER_RESULTS
    assert describe_update(earlier_run) == "Today's code would run no job of this run again.\n"
