"""Copies of images are looked for where the config asks for it, chunk by chunk; the splits wait for none but then."""

from __future__ import annotations

import shutil
import zipfile
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from workflow_runs import planned_jobs, smallest_config, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

SPLIT = {"fetch_metadata": 1, "validate_metadata": 1, "build_splits": 1, "join_metadata": 1, "splits": 1}


def plan(run: Path, target: str) -> dict[str, int]:
    jobs = planned_jobs(snakemake_succeeds(run, target, "--dry-run", "--quiet", "rules"))
    return {rule: count for rule, count in jobs.items() if rule != "total"}


def replace_by_copy(chunk: Path, copy: str, original: bytes) -> None:
    """Give a member of a zip the picture of another, smaller and as another JPEG."""
    with zipfile.ZipFile(chunk) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    image, buffer = Image.open(BytesIO(original)), BytesIO()
    image.resize((image.width // 2, image.height // 2)).save(buffer, "JPEG", quality=80)
    members[copy] = buffer.getvalue()
    with zipfile.ZipFile(chunk, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_a_copy_in_another_chunk_has_the_role_of_its_original(new_run: Path) -> None:
    run, config = new_run, smallest_config()
    write_config(run, config)
    first, second = (run / f"source/bioscan_images_original_full_part{chunk}.zip" for chunk in (1, 2))
    with zipfile.ZipFile(first) as archive, zipfile.ZipFile(second) as other:
        original, copy = archive.namelist()[3], other.namelist()[5]
        replace_by_copy(second, copy, archive.read(original))
    manifest = pd.read_csv(run / "chunks.tsv", sep="\t").assign(bytes=None, checksum=None)
    manifest.to_csv(run / "chunks.tsv", sep="\t", index=False)
    assert plan(run, "splits") == SPLIT
    config["splits"] |= {"duplicates": "together", "policy": "fresh"}
    write_config(run, config)
    searched = {"fetch_chunk": len(manifest), "hash_images": len(manifest), "find_duplicates": 1}
    assert plan(run, "splits") == SPLIT | searched
    snakemake_succeeds(run, "splits")
    found = pd.read_csv(run / "results/metadata/duplicates.tsv", sep="\t", index_col=0)
    both = [Path(name).name for name in (original, copy)]
    assert found.loc[both, "near_duplicate"].tolist() == [min(both)] * 2
    roles = pd.read_parquet(run / "results/splits/roles.parquet").astype(str).set_index("image_file").loc[both]
    assert all(len(set(role) - {"no_split"}) <= 1 for _, role in roles.items())
    shutil.copy(first, run / "source/another.zip")
    with (run / "chunks.tsv").open("a") as manifest:
        manifest.write("9\tsource/another.zip\t\t\n")
    joins = {name: 1 for name in SPLIT if name != "fetch_metadata"}
    assert plan(run, "splits") == joins | {"fetch_chunk": 1, "hash_images": 1, "find_duplicates": 1}
