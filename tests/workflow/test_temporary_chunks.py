"""A run that removes its chunks needs them for nothing later, and fetches nothing again when a chunk is added."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from audit_run import audit_run
from bioscan1m.audit.findings import audit
from bioscan1m.audit.scope import Scope
from bioscan1m.audit.states import MISSING
from workflow_runs import planned_jobs, small_config, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

CHUNK = "data/chunks/bioscan_images_original_full_part1.zip"
READERS = ("results/boxes/part1.parquet", "results/shards/original_256/part1.zip")


def remove_chunks(run: Path) -> None:
    """What the config asks for from here on."""
    config = small_config()
    config["fetch"]["keep_chunks"] = False
    write_config(run, config)


def test_a_chunk_goes_when_all_that_reads_it_is_made_and_the_audit_knows_why(run: Path, capsys) -> None:
    """Of a chunk whose boxes and small images are to be made again."""
    remove_chunks(run)
    for name in (CHUNK, *READERS):
        (run / name).unlink()
    snakemake_succeeds(run, *READERS)
    assert not (run / CHUNK).exists() and all((run / name).exists() for name in READERS)
    assert "Nothing to be done" in snakemake_succeeds(run, *READERS, "--dry-run")
    assert audit_run(run) == 0
    assert f"removed\t{CHUNK}" in capsys.readouterr().out


@pytest.fixture
def run_without_chunks(run: Path) -> Path:
    """The finished run whose chunks are gone, as they may be."""
    remove_chunks(run)
    shutil.rmtree(run / "data/chunks")
    return run


def test_nothing_is_left_to_do_without_the_chunks(run_without_chunks: Path) -> None:
    assert "Nothing to be done" in snakemake_succeeds(run_without_chunks, "all", "--dry-run")


def test_a_new_chunk_fetches_that_chunk_alone(run_without_chunks: Path) -> None:
    shutil.copy(
        run_without_chunks / "source/bioscan_images_original_full_part3.zip", run_without_chunks / "another.zip"
    )
    with (run_without_chunks / "chunks.tsv").open("a") as manifest:
        manifest.write("4\tanother.zip\t\t\n")
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
    (finding,) = audit(tmp_path, Scope(paths=[photographs]))
    assert finding.state == MISSING
