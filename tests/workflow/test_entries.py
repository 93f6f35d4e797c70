"""A run that starts from published packages ends with the images, roles and test results of one from photographs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bioscan1m.foundation.recipe_hook import RECIPE_DIGEST
from bioscan1m.jobs.recipe import digest_without_recipe
from workflow_runs import planned_jobs, small_config, snakemake, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

PACKAGES = ("cropped_256.hdf5", "cropped_256.zip")
EXPERIMENT = "large_diptera_family"  # one with two trainings
SAME_BYTES = (
    "metadata/BIOSCAN_Insect_Dataset_metadata.tsv",
    f"experiments/{EXPERIMENT}/data.digest.json",
    f"experiments/{EXPERIMENT}/selection.json",  # of trainings on these packages
    f"experiments/{EXPERIMENT}/test.json",
)


def start_from(entry: str, small_run, run: Path, suffix: str = "zip") -> dict[str, Any]:
    """A folder with the small run's metadata and, as the only images, what it published."""
    shutil.copytree(small_run / "source", run / "source", ignore=shutil.ignore_patterns("*.zip"))
    patterns = {"cropped": "bioscan_images_cropped_full_part*.zip", "cropped_256": f"cropped_256.{suffix}"}
    zips = sorted((small_run / "results/packages").glob(patterns[entry]))
    assert zips
    config = small_config()
    named = {path.stem.rpartition("part")[2]: {"source": str(path), "checksum": None} for path in zips}
    config["entry"] |= {"from": entry, entry: named}
    config["classifier"]["original_vs_cropped"]["enabled"] = False
    config["detector"] |= {"training_sets": [], "validation_sets": [], "checkpoints": {"unused": named[min(named)]}}
    config["detector"]["use"] = "unused"
    write_config(run, config)
    return config


def without_recipe(results: Path, package: str) -> str:
    """The digest of a package but for the recipe of its job: other inputs make another one."""
    path = results / "packages" / package
    record = json.loads((results / f"provenance/records/pack_{path.suffix[1:]}/{path.stem}.json").read_text())
    return digest_without_recipe(path, record[RECIPE_DIGEST])


# From crops it resizes and packs all images again, and trains: a minute.
@pytest.mark.parametrize(("entry", "resized"), [pytest.param("cropped", 2, marks=pytest.mark.slow), ("cropped_256", 0)])
def test_the_dataset_is_that_of_the_photographs(small_run, tmp_path, entry, resized) -> None:
    start_from(entry, small_run, tmp_path)
    planned = planned_jobs(snakemake_succeeds(tmp_path, "all", "--dry-run", "--quiet", "rules"))
    assert not {"detect_insects", "crop_chunk", "import_detector"} & set(planned)
    snakemake_succeeds(tmp_path, "dataset", "results/quarantine/all.tsv", f"results/experiments/{EXPERIMENT}/test.json")
    for name in SAME_BYTES:
        assert (tmp_path / "results" / name).read_bytes() == (small_run / "results" / name).read_bytes(), name
    for package in PACKAGES:
        assert without_recipe(tmp_path / "results", package) == without_recipe(small_run / "results", package), package
    assert len(list((tmp_path / "results/shards").rglob("*.zip"))) == resized
    lost = pd.read_csv(tmp_path / "results/metadata/reconciliation.tsv", sep="\t", dtype=str, keep_default_na=False)
    assert set(lost["problem"]) <= {"row without image", "image without row"}


def test_a_package_in_hdf5_gives_what_the_zip_gives(small_run, tmp_path) -> None:
    """As far as the digest, from which all trainings follow."""
    start_from("cropped_256", small_run, tmp_path, suffix="hdf5")
    digest, counts = f"results/experiments/{EXPERIMENT}/data.digest.json", "results/metadata/chunks.tsv"
    snakemake_succeeds(tmp_path, digest, counts)
    assert (tmp_path / digest).read_bytes() == (small_run / digest).read_bytes()
    table = pd.read_csv(tmp_path / counts, sep="\t", dtype={"chunk": str}).set_index("chunk")
    assert list(table.index) == ["1", "2", "3"] and table["image_in_another_chunk_than_its_row_says"].sum() == 0


def test_photographs_are_asked_of_crops(small_run, tmp_path) -> None:
    config = start_from("cropped_256", small_run, tmp_path)
    config["classifier"]["package"] = "original_256"
    write_config(tmp_path, config)
    refused = snakemake(tmp_path, "all", "--dry-run")
    assert refused.returncode
    assert "classifier.package: 'original_256' needs photographs, but entry.from is cropped_256" in refused.stdout
