"""The smallest real run of everything: what unit tests cannot see is that the stages fit and that nothing gets lost."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from bioscan1m.boxes.geometry import intersection_over_union
from bioscan1m.boxes.table import CORNERS, FLAGS, read_boxes, read_settings
from bioscan1m.foundation.digests import file_digest
from bioscan1m.foundation.images import image_size
from bioscan1m.foundation.published import published
from bioscan1m.metadata.table import PUBLISHED_COLUMNS
from workflow_runs import quarantined, snakemake_succeeds

pytestmark = pytest.mark.workflow

CHUNKS = ("1", "2", "3")


def members(path: Path) -> list[str]:
    return zipfile.ZipFile(path).namelist()


def test_every_member_of_a_chunk_is_in_the_boxes_table_and_either_packed_or_in_quarantine(small_run) -> None:
    for chunk in CHUNKS:
        source = [
            Path(name).name for name in members(small_run / f"data/chunks/bioscan_images_original_full_part{chunk}.zip")
        ]
        boxes = read_boxes(small_run / f"results/boxes/part{chunk}.parquet")
        cropped = members(small_run / f"results/cropped/bioscan_images_cropped_full_part{chunk}.zip")
        assert list(boxes["image_file"]) == source
        lost = quarantined(small_run.folder, chunk)
        assert cropped == [f"part{chunk}/{name}" for name in source if name not in lost]


def test_the_two_bad_files_are_named_with_their_reasons(small_run) -> None:
    table = pd.read_csv(small_run / "results/quarantine/all.tsv", sep="\t")
    reasons = " ".join(table["reason"])
    assert len(table) == 2
    assert "truncated" in reasons and "not an image" in reasons


def test_boxes_tell_how_they_were_found_and_how_far_to_trust_them(small_run) -> None:
    for chunk in CHUNKS:
        boxes = read_boxes(small_run / f"results/boxes/part{chunk}.parquet")
        readable = boxes["status"] != "unreadable"
        assert boxes.loc[readable, FLAGS].notna().all(axis=None) and boxes.loc[~readable, FLAGS].isna().all(axis=None)
        settings = read_settings(small_run / f"results/boxes/part{chunk}.parquet")
        assert settings["model"] == file_digest(small_run / "results/detector/SW-240/model.safetensors")
        assert settings["precision"] == "auto" and settings["score_threshold"] == 0.5
    summary = pd.read_csv(small_run / "results/statistics/boxes.tsv", sep="\t").set_index("chunk")
    assert summary.loc["all", "images"] == 330
    assert summary.loc["all", ["detected", "below_threshold", "unreadable"]].sum() == 330


def test_the_detector_is_measured_on_clean_annotations(small_run) -> None:
    counts = pd.read_csv(small_run / "results/detector/image_sets.tsv", sep="\t").set_index("image_set")
    assert counts["images"].to_dict() == {"SW-240": 40, "SW-60-val": 12}
    assert (counts["boxes"] + counts["empty_wells"] == counts["images"]).all()
    metrics = pd.read_csv(small_run / "results/detector/metrics.tsv", sep="\t")
    fixed = ["training_set", "val_set", "ap_75", "ar_50_95"]
    assert metrics.columns.tolist() == [*fixed, "ap_75_without_empty_wells", "empty_wells", "ap_50", "mean_iou"]
    history = pd.read_csv(small_run / "results/detector/SW-240/history.tsv", sep="\t")
    assert history["ar_50_95"].iloc[-1] == pytest.approx(metrics.loc[0, "ar_50_95"], abs=1e-3)


def test_boxes_contain_the_insects(small_run) -> None:
    truth = pd.read_csv(small_run / "source/truth.tsv", sep="\t").dropna().set_index("image_file")
    found = pd.concat(read_boxes(small_run / f"results/boxes/part{chunk}.parquet") for chunk in CHUNKS)
    found = found.dropna(subset=CORNERS).set_index("image_file")
    both = truth.index.intersection(found.index)
    overlap = intersection_over_union(truth.loc[both, CORNERS].to_numpy(), found.loc[both, CORNERS].to_numpy())
    assert np.mean(overlap) >= 0.6


@pytest.mark.parametrize("package", ["original_256", "cropped_256"])
def test_hdf5_and_zip_hold_the_same_images_of_256_pixels(small_run, package: str) -> None:
    with (
        h5py.File(small_run / f"results/packages/{package}.hdf5") as file,
        zipfile.ZipFile(small_run / f"results/packages/{package}.zip") as archive,
    ):
        group = file["bioscan_dataset"]
        assert group.attrs["Photographer"] == small_run.config["packages"]["attributes"]["photographer"]
        by_name = {Path(name).name: name for name in archive.namelist()}
        assert set(by_name) == set(group)
        for image_file, name in list(by_name.items())[::25]:
            data = bytes(group[image_file][()])
            assert name.startswith(f"bioscan/images/{package}/part")
            assert archive.read(name) == data
            assert min(image_size(data)) == 256


def test_full_size_crops_are_packed_in_groups_of_chunks(small_run) -> None:
    assert {path.name for path in (small_run / "results/packages").glob("bioscan_images_cropped_full_*")} == {
        "bioscan_images_cropped_full_part1-2.zip",
        "bioscan_images_cropped_full_part3-3.zip",
    }


def test_metadata_has_the_published_columns_and_the_roles_of_the_splits(small_run) -> None:
    metadata = pd.read_csv(
        small_run / "results/metadata/BIOSCAN_Insect_Dataset_metadata.tsv", sep="\t", dtype=str, keep_default_na=False
    )
    assert list(metadata.columns) == list(PUBLISHED_COLUMNS)
    for experiment in small_run.config["splits"]["experiments"]:
        split = pd.read_parquet(small_run / f"results/splits/{experiment}.parquet")
        roles = metadata.set_index("image_file")[experiment]
        assert (roles != "no_split").sum() == len(split)
        assert (roles.loc[split["image_file"]].to_numpy() == split["role"].to_numpy()).all()


def test_each_experiment_is_tested_with_its_chosen_trial(small_run) -> None:
    for experiment in small_run.config["classifier"]["trials"]:
        folder = small_run / f"results/experiments/{experiment}"
        split = pd.read_parquet(small_run / f"results/splits/{experiment}.parquet")
        test = json.loads((folder / "test.json").read_text())
        for role, name in {"test": "predictions", "validation": "validation_predictions"}.items():
            table = pq.read_table(folder / f"{name}.parquet")
            assert table.column_names == ["image_file", "truth", "prediction", "logits"]
            assert table.schema.field("logits").type == pa.list_(pa.float32(), len(test["classes"]))
            assert set(table["image_file"].to_pylist()) <= set(split.loc[split["role"] == role, "image_file"])
            assert len(table) == test["images"][role]
        predictions = pd.read_parquet(folder / "predictions.parquet")
        accuracy = (predictions["truth"] == predictions["prediction"]).mean()
        assert test["metrics"]["micro_top1"] == pytest.approx(accuracy)


def test_a_model_names_its_own_recipe(small_run) -> None:
    path = next((small_run / "results/experiments/small_insect_order").glob("*/model.safetensors"))
    with safe_open(path, "pt") as model:
        recipe = {key: json.loads(value) for key, value in model.metadata().items() if key in ("classes", "trial")}
    assert recipe["trial"]["experiment"] == "small_insect_order"
    assert len(recipe["classes"]) >= 8


def test_summary_stands_beside_the_published_figures(small_run) -> None:
    test = pd.read_csv(small_run / "results/summary/test.tsv", sep="\t")
    assert set(test["experiment"]) == set(small_run.config["classifier"]["trials"])
    assert test.filter(like="published").notna().any().any()
    wrong = pd.read_csv(small_run / "results/summary/misclassified.tsv", sep="\t")
    assert (100 - wrong["misclassified_share"]).tolist() == pytest.approx(test["micro_top1"].tolist(), abs=0.02)
    validation = pd.read_csv(small_run / "results/summary/validation.tsv", sep="\t")
    assert len(validation) == sum(len(trials) for trials in small_run.config["classifier"]["trials"].values())


def test_every_published_column_of_the_run_is_in_the_table_of_facts(small_run) -> None:
    """That ours beside it is measured on the same is the matter of tests/unit/test_published_basis.py."""
    headers = {path: pd.read_csv(path, sep="\t", nrows=0) for path in (small_run / "results").rglob("*.tsv")}
    written = {
        (path.relative_to(small_run.folder).as_posix(), column)
        for path, table in headers.items()
        for column in table
        if "_published" in column
    }
    facts = published("measured_on")
    assert written and written <= set(zip(facts["table"], facts["column"], strict=True))


def test_mistakes_on_low_quality_images_and_true_networks_are_tabulated(small_run) -> None:
    mistakes = pd.read_csv(small_run / "results/cleaning/low_quality_mistakes.tsv", sep="\t")
    wrong = pd.read_csv(small_run / "results/summary/misclassified.tsv", sep="\t")
    assert mistakes[["experiment", "images", "misclassified"]].equals(wrong[["experiment", "images", "misclassified"]])
    backbones = pd.read_csv(small_run / "results/summary/backbones.tsv", sep="\t")
    assert backbones["backbone"].tolist() == ["resnet50", "vit_b_16"] and backbones.notna().all(axis=None)


def test_photographs_and_crops_are_compared_on_the_same_images(small_run) -> None:
    table = pd.read_csv(small_run / "results/summary/original_vs_cropped.tsv", sep="\t").set_index("image_type")
    assert table["experiment"].to_dict() == dict.fromkeys(("original", "cropped"), "small_insect_order")
    assert table["validation_micro_top1_published"].to_dict() == {"original": 96.26, "cropped": 97.86}
    folder = small_run / "results/original_vs_cropped/small_insect_order"
    tests = [json.loads((folder / package / "test.json").read_text()) for package in ("original_256", "cropped_256")]
    assert [round(100 * test["metrics"]["micro_top1"], 2) for test in tests] == table["test_micro_top1"].tolist()
    assert tests[0]["images"] == tests[1]["images"]


def test_every_tested_image_has_a_prediction_set_per_level(small_run) -> None:
    summary = pd.read_csv(small_run / "results/summary/prediction_sets.tsv", sep="\t")
    assert len(summary) == 2 * len(small_run.config["classifier"]["trials"])
    for experiment in small_run.config["classifier"]["trials"]:
        folder = small_run / f"results/experiments/{experiment}"
        sets = pd.read_parquet(folder / "prediction_sets.parquet")
        assert sets["image_file"].tolist() == pd.read_parquet(folder / "predictions.parquet")["image_file"].tolist()
        assert (sets["set_80"].map(len) <= sets["set_90"].map(len)).all()


def test_empty_wells_are_listed_as_unusable(small_run) -> None:
    truth = pd.read_csv(small_run / "source/truth.tsv", sep="\t").set_index("image_file")
    unusable = pd.read_csv(small_run / "results/cleaning/unusable_images.tsv", sep="\t", keep_default_na=False)
    empty = unusable[unusable["findings"].str.contains("no_insect")]["image_file"]
    assert len(empty) and truth.loc[truth.index.intersection(empty), "x_min"].isna().mean() > 0.5


def test_changed_labels_are_looked_for_in_every_experiment(small_run) -> None:
    trust = pd.read_csv(small_run / "results/cleaning/trust.tsv", sep="\t")
    assert set(trust["experiment"]) == set(small_run.config["classifier"]["trials"])


def test_audit_finds_every_file_intact(small_run) -> None:
    counts = json.loads((small_run / "results/provenance/audit.json").read_text())
    assert counts == {"files": counts["files"], "intact": counts["files"]}
    assert counts["files"] > 150


def test_report_is_one_file_with_every_category(small_run) -> None:
    text = (small_run / "results/report.html").read_text()
    for category in ("1 Detector", "2 Crops", "3 Dataset", "4 Experiments", "5 Provenance"):
        assert category in text


def test_nothing_is_left_to_do(small_run, tmp_path: Path) -> None:
    run = Path(shutil.copytree(small_run.folder, tmp_path / "run"))  # for other tests read the run at the same time
    assert "Nothing to be done" in snakemake_succeeds(run, "all", "audit")


def test_no_part_files_are_left(small_run) -> None:
    assert list(small_run.folder.rglob("*.part")) == []
