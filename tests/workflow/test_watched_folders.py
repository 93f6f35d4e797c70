"""Photographs that are added to or changed in the folder of a chunk are noticed by the next run, and go through."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from bioscan1m.foundation.archives import list_members
from bioscan1m.package.images import ImagePackage
from workflow_runs import planned_jobs, snakemake_succeeds
from write_manifest import prepare_run

pytestmark = pytest.mark.workflow

CHUNK = "data/chunks/bioscan_images_original_full_part1.zip"
PACKAGE = "results/packages/original_256.hdf5"


def planned(run: Path, target: str) -> dict[str, int]:
    return planned_jobs(snakemake_succeeds(run, target, "--dry-run", "--quiet", "rules"))


def test_what_changes_in_a_folder_of_photographs_is_fetched_again_and_packed(tmp_path: Path) -> None:
    folder, run = tmp_path / "photographs", tmp_path / "run"
    for family in ("Apidae", "Formicidae"):
        (folder / family).mkdir(parents=True)
        Image.effect_noise((300, 260), 90).convert("RGB").save(folder / family / "IMG_0001.JPG")
    prepare_run([folder], run, 100, levels=("family",))
    snakemake_succeeds(run, CHUNK)
    assert planned(run, CHUNK) == {}
    (folder / "notes.txt").write_text("no photograph")
    assert planned(run, CHUNK) == {}

    os.utime(folder / "Apidae/IMG_0001.JPG", (1, 1))
    assert planned(run, CHUNK)["fetch_chunk"] == 1

    (folder / "Vespidae").mkdir()
    shutil.copy(folder / "Apidae/IMG_0001.JPG", folder / "Vespidae/IMG_0001.JPG")
    keys = [f"{family}~IMG_0001.JPG" for family in ("Apidae", "Formicidae", "Vespidae")]
    snakemake_succeeds(run, PACKAGE)
    assert [member.image_file for member in list_members(run / CHUNK)] == keys
    assert list(ImagePackage(run / PACKAGE)) == keys
    assert planned(run, PACKAGE) == {}
