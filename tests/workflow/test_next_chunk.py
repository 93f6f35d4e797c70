"""What a change plans, as exact lists of jobs: that chunk's own and the joins, and nothing for what changes nothing."""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bioscan1m.foundation.archives import ZipWriter, list_members, read_members
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.foundation.user_tables import Dialect
from bioscan1m.metadata.table import NO_SPLIT, PUBLISHED_EXPERIMENTS
from bioscan1m.plan.corrected_chunk import add_corrected_chunk
from job_lists import (
    DETECTED_ANEW,
    JOINS_OF_IMAGES,
    JOINS_OF_METADATA,
    LABELLED_ANEW,
    ONE_CHUNK,
    made,
    planned,
    trained,
)
from workflow_runs import write_config

pytestmark = pytest.mark.workflow


def test_a_new_chunk_runs_its_own_jobs_and_the_joins(run: Path) -> None:
    shutil.copy(run / "source/bioscan_images_original_full_part3.zip", run / "source/another.zip")
    with (run / "chunks.tsv").open("a") as manifest:
        manifest.write("4\tsource/another.zip\t\t\n")
    assert planned(run, "dataset") == ONE_CHUNK | JOINS_OF_IMAGES | JOINS_OF_METADATA


def test_corrected_photographs_are_the_next_chunk_with_their_labels(run: Path) -> None:
    place = run / "results/predictions/new-1a2b3c4d"
    place.mkdir(parents=True)
    shutil.copy(run / "source/bioscan_images_original_full_part3.zip", place / "photographs.zip")
    members = list_members(place / "photographs.zip")
    corrected = {member.image_file: name for member, name in zip(members, ["ok", "Hymenoptera"], strict=False)}
    rows = [(one.image_file, "Chironomidae", "family", corrected.get(one.image_file, "")) for one in members]
    write_rows(place / "predictions.tsv", ("image_file", "taxon", "rank", "correct"), rows)
    add_corrected_chunk(place / "predictions.tsv", run, [], Dialect())

    labelled = read_all(run / "source/BIOSCAN_Insect_Dataset_metadata.tsv").set_index("chunk_number").loc["4"]
    assert labelled["image_file"].tolist() == [f"new-1a2b3c4d~{name}" for name in corrected]
    assert labelled["order"].tolist() == ["Diptera", "Hymenoptera"]
    assert labelled["family"].tolist() == ["Chironomidae", "not_classified"]
    assert planned(run, "dataset") == {"fetch_metadata": 1} | ONE_CHUNK | JOINS_OF_IMAGES | JOINS_OF_METADATA


@pytest.mark.parametrize("what", ["source", "checksum"])
def test_a_chunk_with_another_source_or_checksum_is_the_only_one_that_runs(run: Path, what: str) -> None:
    manifest = run / "chunks.tsv"
    header, *rows = manifest.read_text().splitlines()
    row = dict(zip(header.split("\t"), rows[1].split("\t"), strict=True))
    other = {"source": "source/bioscan_images_original_full_part2.zip", "checksum": f"sha256:{'0' * 64}"}
    rows[1] = "\t".join((row | {what: other[what]}).values())
    manifest.write_text("\n".join([header, *rows]) + "\n")
    assert planned(run, "dataset") == ONE_CHUNK | JOINS_OF_IMAGES


@pytest.mark.parametrize("times", [None, (0, 0)], ids=["of today", "of an older date"])
def test_a_new_release_of_the_metadata_runs_no_image_job(run: Path, times: tuple[int, int] | None) -> None:
    with (run / "source/BIOSCAN_Insect_Dataset_metadata.tsv").open("a") as metadata:
        metadata.write("\n")
    os.utime(metadata.name, times)
    assert planned(run, "dataset") == LABELLED_ANEW


def test_another_detector_finds_every_box_again_and_fetches_no_chunk(run: Path, small_run) -> None:
    config = copy.deepcopy(small_run.config)
    config["detector"]["fine_tuning"]["seed"] = 7
    write_config(run, config)
    assert planned(run, "dataset") == DETECTED_ANEW


def test_a_fresh_clone_over_old_results_runs_nothing(run: Path, checkout: Path) -> None:
    assert planned(run, "all", checkout=checkout) == {}


def test_a_comment_or_a_docstring_runs_nothing(run: Path, checkout: Path) -> None:
    script = checkout / "workflow_scripts/crop_chunk.py"
    script.write_text('"""Another docstring."""\n# and a comment\n' + script.read_text().split('"""', 2)[2])
    assert planned(run, "all", checkout=checkout) == {}


def test_a_touched_table_that_nothing_is_made_of_runs_nothing(run: Path) -> None:
    os.utime(run / "results/metadata/warnings.tsv")
    assert planned(run, "dataset") == {}


def test_a_touched_package_is_described_and_digested_again(run: Path) -> None:
    """That the digests come out as before is seen by the second call: no model is trained."""
    os.utime(run / "results/packages/cropped_256.hdf5")
    assert planned(run, "dataset") == {
        "describe_dataset": 1,
        "digest_experiment": 3,
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

    assert made(run, "dataset") == {"fetch_metadata": 1} | ONE_CHUNK | JOINS_OF_IMAGES | JOINS_OF_METADATA

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
    classifier = small_run.config["classifier"]
    trainings = [len(classifier["trials"][name]) * len(classifier["seeds"][name]) for name in grown]
    compared = 2 if set(classifier["original_vs_cropped"]["experiments"]) & grown else 0
    predicting = len(grown & set(small_run.config["inference"]["experiments"]))
    of_all = {"list_classes": 3, "join_all_quarantine": 1}
    assert planned(run, "all") == trained(len(grown), sum(trainings), predicting, compared) | of_all


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
