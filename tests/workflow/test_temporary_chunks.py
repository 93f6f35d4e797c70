"""A run that removes its chunks needs them for nothing later, and fetches nothing again when a chunk is added."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from bioscan1m.audit.findings import MISSING, audit
from workflow_runs import planned_jobs, small_config, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

KEPT_RESULTS = ("packages/cropped_256.hdf5", "packages/original_256.zip", "statistics/boxes.tsv")


@pytest.fixture(scope="module")
def run_without_chunks(small_run, tmp_path_factory) -> Path:
    """The dataset of the small run's first two chunks, made with temporary chunks."""
    run = tmp_path_factory.mktemp("temporary")
    shutil.copytree(small_run / "source", run / "source")
    manifest = pd.read_csv(small_run / "chunks.tsv", sep="\t", dtype=str)
    manifest.head(2).to_csv(run / "chunks.tsv", sep="\t", index=False)
    config = small_config()
    config["fetch"]["keep_chunks"] = False
    config["classifier"] |= {"trials": {}, "seeds": {}}
    config["inference"]["experiments"] = []
    write_config(run, config)
    snakemake_succeeds(run, "dataset")
    return run


def test_chunks_are_gone_and_nothing_is_left_to_do(run_without_chunks: Path) -> None:
    assert not list((run_without_chunks / "data/chunks").glob("*.zip"))
    assert all((run_without_chunks / "results" / name).exists() for name in KEPT_RESULTS)
    assert "Nothing to be done" in snakemake_succeeds(run_without_chunks, "dataset", "--dry-run")


def test_the_audit_knows_that_they_are_temporary(run_without_chunks: Path) -> None:
    snakemake_succeeds(run_without_chunks, "audit")
    counts = json.loads((run_without_chunks / "results/provenance/audit.json").read_text())
    assert counts["removed"] == 2 and counts["intact"] == counts["files"] - 2


def test_a_new_chunk_fetches_that_chunk_alone(run_without_chunks: Path, small_run) -> None:
    shutil.copy(small_run / "chunks.tsv", run_without_chunks)
    planned = planned_jobs(snakemake_succeeds(run_without_chunks, "dataset", "--dry-run", "--quiet", "rules"))
    assert planned["fetch_chunk"] == planned["detect_insects"] == planned["crop_chunk"] == 1
    assert planned["resize_chunk"] == 2


def test_photographs_to_predict_on_are_not_temporary(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "own/a.jpg")
    (tmp_path / "chunks.tsv").write_text("chunk\tsource\tbytes\tchecksum\n1\town\t\t\n")
    config = small_config()
    config["fetch"]["keep_chunks"] = False
    config["inference"]["photographs"] = {"mine": "own"}
    write_config(tmp_path, config)
    photographs = "results/predictions/mine/photographs.zip"
    snakemake_succeeds(tmp_path, photographs)
    (tmp_path / photographs).unlink()
    (finding,) = audit(tmp_path, paths=[photographs])
    assert finding.state == MISSING
