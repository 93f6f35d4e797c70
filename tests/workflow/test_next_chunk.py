"""What a change runs, as exact lists of jobs: that chunk's own and the joins, the users of that code, nothing else."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bioscan1m.archives import ZipWriter, read_members
from bioscan1m.metadata.metadata import NO_SPLIT, PUBLISHED_EXPERIMENTS
from workflow_runs import REPOSITORY, planned_jobs, snakemake_succeeds, write_config

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


@pytest.mark.parametrize("what", ["source", "checksum"])
def test_a_chunk_with_another_source_or_checksum_is_the_only_one_that_runs(run: Path, what: str) -> None:
    manifest = run / "chunks.tsv"
    header, *rows = manifest.read_text().splitlines()
    row = dict(zip(header.split("\t"), rows[1].split("\t"), strict=True))
    other = {"source": "source/bioscan_images_original_full_part2.zip", "checksum": f"sha256:{'0' * 64}"}
    rows[1] = "\t".join((row | {what: other[what]}).values())
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


def test_a_touched_package_is_described_and_digested_again(run: Path) -> None:
    """That the digests come out as before is seen by the second call: no model is trained."""
    os.utime(run / "results/packages/cropped_256.hdf5")
    assert planned(run, "dataset") == {
        "describe_dataset": 1,
        "digest_experiment": 6,
        "digest_for_comparison": 1,
        "dataset": 1,
    }


@pytest.mark.slow
def test_a_new_chunk_extends_the_splits_and_trains_again_what_it_adds_to(run: Path, small_run) -> None:
    """The README's three steps with a chunk that has no Diptera, so that no family is added to."""
    released = run / "results/metadata/BIOSCAN_Insect_Dataset_metadata.tsv"
    previous = read_all(shutil.copy(released, run / "previous.tsv"))
    add_fourth_chunk(run, without="Diptera")
    config = copy.deepcopy(small_run.config)
    config["splits"] |= {"policy": "extend", "previous": "previous.tsv"}
    write_config(run, config)

    jobs = planned_jobs(snakemake_succeeds(run, "dataset", "--quiet", "host"))
    del jobs["total"]
    assert jobs == {"fetch_metadata": 1} | ONE_CHUNK | JOINS_OF_IMAGES | JOINS_OF_METADATA

    extended = read_all(released)
    kept = extended.set_index("image_file").loc[previous["image_file"]].reset_index()
    for experiment in PUBLISHED_EXPERIMENTS:
        before, after = previous[experiment], kept[experiment]
        assert ((before == after) | (before == NO_SPLIT) | (after == NO_SPLIT)).all(), experiment
    new = extended[extended["chunk_number"] == "4"]
    assert set(new["large_insect_order"]) >= {"train", "validation", "test"}

    grown = {
        name for name in small_run.config["classifier"]["trials"] if digest_of(run, name) != digest_of(small_run, name)
    }
    assert "large_insect_order" in grown and not any(name.endswith("diptera_family") for name in grown)
    plan = planned(run, "all")
    classifier = small_run.config["classifier"]
    trainings = [len(classifier["trials"][name]) * len(classifier["seeds"][name]) for name in grown]
    assert plan["train_classifier"] == sum(trainings)
    assert plan["test_classifier"] == plan["select_trial"] == len(grown)
    assert not set(plan) & {*ONE_CHUNK, "pack_hdf5", "build_splits"}


def add_fourth_chunk(run: Path, without: str) -> None:
    """The images of chunk 3, but for one order, under other names and with rows of their own."""
    metadata = run / "source/BIOSCAN_Insect_Dataset_metadata.tsv"
    rows = read_all(metadata)
    new = rows[(rows["chunk_number"] == "3") & (rows["order"] != without)].copy()
    new["chunk_number"] = "4"
    for column in ("sampleid", "processid", "image_file"):
        new[column] = "NEW" + new[column]
    pd.concat([rows, new]).to_csv(metadata, sep="\t", index=False)
    wanted = set(new["image_file"])
    with ZipWriter(run / "source/part4.zip") as chunk:
        for member, data in read_members(run / "source/bioscan_images_original_full_part3.zip"):
            if f"NEW{member.image_file}" in wanted:
                chunk.add(f"part4/NEW{member.image_file}", data)
    with (run / "chunks.tsv").open("a") as manifest:
        manifest.write("4\tsource/part4.zip\t\t\n")


def read_all(path: str | Path) -> pd.DataFrame:
    """A metadata table, all of it as text."""
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def digest_of(run: Any, experiment: str) -> bytes:
    """What the trainings of an experiment depend on."""
    return (run / f"results/experiments/{experiment}/data.digest.json").read_bytes()
