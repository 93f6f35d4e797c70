"""A job of every rule can be run again from its record, with equal bytes, or the reason why not is given."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bioscan1m.audit.evidence import read_sound_records
from bioscan1m.audit.reproduction import NOT_REPRODUCIBLE, reproduce
from bioscan1m.foundation.errors import InputError
from workflow_runs import REPOSITORY, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

DETECTOR = "data/weights/detector/model.safetensors"


@pytest.mark.slow
def test_a_job_of_every_rule_gives_the_same_bytes_again_or_the_reason_why_not_is_given(
    small_run, tmp_path: Path
) -> None:
    records = {record.rule: record for record in read_sound_records(small_run.folder)}
    unlike, timed, named = {}, set(), set()
    for rule, record in records.items():
        try:
            found = reproduce(small_run.folder, record.outputs[0]["path"], tmp_path / rule)
        except InputError as error:
            if "is not reproducible" not in str(error):
                unlike[rule] = str(error)
            named.add(record.content["code"].partition(":")[0])
            continue
        if found.different or found.changes or not found.equal:
            unlike[rule] = found
        timed |= {Path(path).name for path in found.timed}
        shutil.rmtree(tmp_path / rule)
    assert unlike == {} and named == NOT_REPRODUCIBLE.keys()
    assert len(records) > 45 and timed == {"speed.tsv"}


def test_a_source_by_a_relative_path_out_of_the_run_is_found(small_run, tmp_path: Path) -> None:
    run = tmp_path / "folder/run"
    shutil.copytree(REPOSITORY / "tests/demo/detector", tmp_path / "detector")
    shutil.copytree(small_run / "source", run / "source")
    shutil.copy(small_run / "chunks.tsv", run)
    config = yaml.safe_load((small_run / "config.yaml").read_text())
    config["detector"]["fine_tuning"]["base"] = "../../detector"
    write_config(run, config)
    snakemake_succeeds(run, DETECTOR)
    before = sorted(tmp_path.rglob("*"))
    found = reproduce(run, DETECTOR, tmp_path / "scratch")
    assert DETECTOR in found.equal and not found.different + found.changes
    assert [path for path in sorted(tmp_path.rglob("*")) if not path.is_relative_to(tmp_path / "scratch")] == before


@pytest.mark.parametrize("path", ["results/provenance/ledger.json", "results/ro-crate/ro-crate-metadata.json"])
def test_the_command_gives_the_reason_where_a_job_is_not_reproducible(small_run, path: str) -> None:
    command = [sys.executable, str(REPOSITORY / "workflow_scripts/reproduce_job.py"), str(small_run.folder), path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "is not reproducible: it " in done.stderr and "Traceback" not in done.stderr
