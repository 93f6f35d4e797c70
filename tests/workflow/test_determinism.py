"""The same config gives the same bytes: in another folder, and whatever the number of cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow_runs import compared_results, smallest_run, snakemake_succeeds

pytestmark = [pytest.mark.slow, pytest.mark.workflow]

KINDS = {".tsv", ".parquet", ".hdf5", ".zip", ".json", ".jsonld", ".safetensors", ".png", ".svg", ".html"}


@pytest.mark.usefixtures("plain_jobs")
def test_two_runs_in_different_folders_with_different_cores_give_the_same_bytes(
    smallest_finished_run: Path, tmp_path: Path
) -> None:
    run = smallest_run(tmp_path / "another run", chunks=2)
    snakemake_succeeds(run, "all", "--cores", "1")
    one, other = compared_results(smallest_finished_run), compared_results(run)
    assert {Path(name).suffix for name in one} >= KINDS
    assert one == other
