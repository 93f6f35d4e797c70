"""The same config gives the same bytes: in another folder, and whatever the number of cores."""

from __future__ import annotations

from pathlib import Path

import pytest

from workflow_runs import compared_results, smallest_run, snakemake_succeeds

pytestmark = [pytest.mark.slow, pytest.mark.workflow]

KINDS = {".tsv", ".parquet", ".hdf5", ".zip", ".json", ".jsonld", ".safetensors", ".png", ".svg", ".html"}


def test_two_runs_in_different_folders_with_different_cores_give_the_same_bytes(tmp_path: Path) -> None:
    results = []
    for cores, name in (("1", "run"), ("5", "another run")):
        run = smallest_run(tmp_path / name)
        snakemake_succeeds(run, "all", "--cores", cores)
        results.append(compared_results(run))
    one, other = results
    assert {Path(name).suffix for name in one} >= KINDS
    assert one == other
