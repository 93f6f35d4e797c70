"""What a change runs, as exact lists of jobs: that chunk's own and the joins, the users of that code, nothing else."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workflow_runs import REPOSITORY, planned_jobs, write_config

pytestmark = pytest.mark.workflow

# What joins all chunks, in the target `dataset`; the digests of the experiments among it say what is trained again.
JOINS_OF_IMAGES = {
    "pack_hdf5": 2,
    "pack_zip": 2,
    "pack_crops": 1,
    "reconcile_images": 1,
    "summarise_boxes": 1,
    "draw_doubtful": 1,
    "describe_dataset": 1,
    "digest_experiment": 6,
    "digest_for_comparison": 2,
    "dataset": 1,
}
JOINS_OF_METADATA = {
    "validate_metadata": 1,
    "build_splits": 1,
    "join_metadata": 1,
    "write_parquet": 1,
    "summarise_dataset": 1,
}
ONE_CHUNK = {"fetch_chunk": 1, "detect_insects": 1, "crop_chunk": 1, "resize_chunk": 2, "join_quarantine": 1}
CROPS_OF_THREE_CHUNKS = {"crop_chunk": 3, "resize_chunk": 3, "join_quarantine": 3, "draw_crops": 1}


@pytest.fixture
def run(small_run, tmp_path: Path) -> Path:
    """The finished run in another folder, to change."""
    return Path(shutil.copytree(small_run.folder, tmp_path / "run"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The workflow in another folder, as after a fresh clone: every file is new."""
    folder = tmp_path / "checkout"
    for name in ("rules", "workflow_scripts", "profiles", "envs"):
        shutil.copytree(REPOSITORY / name, folder / name, copy_function=shutil.copy)
    shutil.copy(REPOSITORY / "Snakefile", folder)
    return folder


def planned(run: Path, *targets: str, checkout: Path = REPOSITORY) -> dict[str, int]:
    """Rule -> number of jobs that Snakemake would run; nothing where all is done."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", str(run)]
    done = subprocess.run(
        [*command, "--profile", "profiles/demo", *targets, "--dry-run", "--quiet", "rules"],
        cwd=checkout,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return {rule: jobs for rule, jobs in planned_jobs(done.stdout).items() if rule != "total"}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_a_new_chunk_runs_its_own_jobs_and_the_joins(run: Path) -> None:
    shutil.copy(run / "source/bioscan_images_original_full_part3.zip", run / "source/another.zip")
    with (run / "chunks.tsv").open("a") as manifest:
        manifest.write("4\tsource/another.zip\t\t\n")
    assert planned(run, "dataset") == ONE_CHUNK | JOINS_OF_IMAGES | JOINS_OF_METADATA


def test_a_chunk_from_another_source_is_the_only_one_that_runs(run: Path) -> None:
    manifest = run / "chunks.tsv"
    header, *rows = manifest.read_text().splitlines()
    rows[1] = "2\tsource/bioscan_images_original_full_part2.zip\t\t"
    manifest.write_text("\n".join([header, *rows]) + "\n")
    assert planned(run, "dataset") == ONE_CHUNK | JOINS_OF_IMAGES


def test_a_removed_chunk_runs_the_joins_alone(run: Path) -> None:
    manifest = run / "chunks.tsv"
    manifest.write_text("\n".join(manifest.read_text().splitlines()[:-1]) + "\n")
    joins = {rule: jobs for rule, jobs in JOINS_OF_IMAGES.items() if rule != "pack_crops"}  # its zip was one of its own
    assert planned(run, "dataset") == joins | JOINS_OF_METADATA


@pytest.mark.parametrize("times", [None, (0, 0)], ids=["of today", "of an older date"])
def test_a_new_release_of_the_metadata_runs_no_image_job(run: Path, times: tuple[int, int] | None) -> None:
    with (run / "source/BIOSCAN_Insect_Dataset_metadata.tsv").open("a") as metadata:
        metadata.write("\n")
    os.utime(metadata.name, times)
    joins = {name: JOINS_OF_IMAGES[name] for name in ("reconcile_images", "describe_dataset")}
    digests = {name: JOINS_OF_IMAGES[name] for name in ("digest_experiment", "digest_for_comparison", "dataset")}
    assert planned(run, "dataset") == {"fetch_metadata": 1} | JOINS_OF_METADATA | joins | digests


def test_another_crop_ratio_finds_no_box_again(run: Path, small_run) -> None:
    config = copy.deepcopy(small_run.config)
    config["crop"]["ratio"] = 1.2
    write_config(run, config)
    jobs = planned(run, "dataset")
    assert {rule: jobs[rule] for rule in CROPS_OF_THREE_CHUNKS} == CROPS_OF_THREE_CHUNKS
    assert not {"fetch_chunk", "detect_insects"} & set(jobs)


def test_another_detector_finds_every_box_again_and_fetches_no_chunk(run: Path, small_run) -> None:
    config = copy.deepcopy(small_run.config)
    config["detector"]["fine_tuning"]["seed"] = 7
    write_config(run, config)
    jobs = planned(run, "dataset")
    assert jobs["fine_tune_detector"] == 1 and jobs["detect_insects"] == 3
    assert {rule: jobs[rule] for rule in CROPS_OF_THREE_CHUNKS} == CROPS_OF_THREE_CHUNKS | {"resize_chunk": 3}
    assert "fetch_chunk" not in jobs


def test_a_fresh_clone_over_old_results_runs_nothing(run: Path, checkout: Path) -> None:
    assert planned(run, "all", checkout=checkout) == {}


def test_a_comment_or_a_docstring_runs_nothing(run: Path, checkout: Path) -> None:
    script = checkout / "workflow_scripts/crop_chunk.py"
    script.write_text('"""Another docstring."""\n# and a comment\n' + script.read_text().split('"""', 2)[2])
    assert planned(run, "all", checkout=checkout) == {}


def test_a_function_of_a_shared_module_runs_its_users_and_what_follows(run: Path, checkout: Path) -> None:
    edit(checkout / "workflow_scripts/bioscan1m/crop/cropping.py", "canvas.paste(", "canvas.load()\n    canvas.paste(")
    jobs = planned(run, "dataset", checkout=checkout)
    assert {rule: jobs[rule] for rule in CROPS_OF_THREE_CHUNKS} == CROPS_OF_THREE_CHUNKS
    assert not {"fetch_chunk", "detect_insects", "fine_tune_detector", "validate_metadata"} & set(jobs)


def test_a_touched_table_that_nothing_is_made_of_runs_nothing(run: Path) -> None:
    os.utime(run / "results/metadata/warnings.tsv")
    assert planned(run, "dataset") == {}
