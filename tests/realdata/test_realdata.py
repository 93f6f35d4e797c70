"""The same pipeline on real photographs: a user's own folder becomes a run, as the README says.

Set BIOSCAN_REAL_DATA to a folder with `wells/{train,val}` (images and COCO boxes), `originals/` (full-size photographs
with labels.tsv) and `labelled/` (photographs with labels.tsv); without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from bioscan1m.boxes.geometry import intersection_over_union
from bioscan1m.boxes.table import CORNERS, read_boxes
from bioscan1m.foundation.archives import list_members
from bioscan1m.foundation.image_keys import path_of_key
from bioscan1m.package.images import ImagePackage
from workflow_runs import REPOSITORY, demo_config, planned_jobs, snakemake_succeeds, write_config

FOLDER = os.environ.get("BIOSCAN_REAL_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.usefixtures("warm_jobs"),
    pytest.mark.skipif(FOLDER is None, reason="BIOSCAN_REAL_DATA is not set: no real photographs to run on"),
]


def write_manifest(run: Path, *arguments: str | Path) -> None:
    """The README's command."""
    script = REPOSITORY / "workflow_scripts/write_manifest.py"
    command = [sys.executable, str(script), "--out", str(run), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def own_config(run: Path) -> dict[str, Any]:
    """The config that the helper wrote, with the demo's small networks and its training, but longer."""
    config, demo = yaml.safe_load((run / "config.yaml").read_text()), demo_config()
    config["detector"] = demo["detector"] | without_gpu()
    config["detector"]["fine_tuning"]["base"] = str(REPOSITORY / "tests/demo/detector")
    for section in ("backbones", "training"):
        config["classifier"][section] = demo["classifier"][section]
    config["classifier"]["training"] |= {"epochs": 20, "patience": 20, "learning_rate_steps": [16]}
    return config


def without_gpu() -> dict[str, Any]:
    """The settings of a detector that docs/detector.md has for machines without a GPU."""
    section = (REPOSITORY / "docs/detector.md").read_text(encoding="utf-8").split("## Without a GPU")[1]
    return yaml.safe_load(re.search(r"```yaml\n(.*?)```", section, flags=re.DOTALL)[1])["detector"]


def source(path: Path) -> dict[str, str | None]:
    return {"source": str(path), "checksum": None}


@pytest.fixture(scope="module")
def wells_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """175 real wells and the full-size originals from folder to packages, with a detector fine-tuned on real wells."""
    data = Path(FOLDER)
    run = tmp_path_factory.mktemp("wells")
    originals = run / "originals"  # without the examples in its sub-folders
    originals.mkdir()
    for path in sorted((data / "originals").glob("*.jpg")):
        shutil.copy(path, originals)
    write_manifest(run, "--images", data / "wells/val/images", originals, "--labels", data / "originals/labels.tsv")
    config = own_config(run)
    detector = config["detector"]
    detector["image_sets"] = {
        f"wells-{part}": {
            "images": source(data / f"wells/{part}/images"),
            "annotations": source(data / f"wells/{part}/{form}"),
        }
        for part, form in {"train": "coco_annotations_as_published.json", "val": "annotations.json"}.items()
    }
    detector |= {"use": "wells-train", "training_sets": ["wells-train"], "validation_sets": ["wells-val"]}
    detector["fine_tuning"] |= {"epochs": 6, "monitor": "wells-val"}
    detector["detection"]["below_threshold"] = "best_box"
    write_config(run, config)
    snakemake_succeeds(run, "dataset", "detector")
    snakemake_succeeds(run, "audit")
    return run


@pytest.mark.slow
def test_every_real_photograph_is_boxed_cropped_and_packed(wells_run: Path) -> None:
    boxes = [read_boxes(path) for path in sorted((wells_run / "results/boxes").glob("*.parquet"))]
    assert sorted(map(len, boxes)) == [19, 175]
    assert all((table["status"] != "unreadable").all() for table in boxes)
    for package in ("original_256", "cropped_256"):
        assert len(list_members(wells_run / f"results/packages/{package}.zip")) == 194


@pytest.mark.slow
def test_detector_trained_on_real_wells_beats_the_best_fixed_box(wells_run: Path) -> None:
    annotations = json.loads((Path(FOLDER) / "wells/val/annotations.json").read_text())
    names = {image["id"]: image["file_name"] for image in annotations["images"]}
    truth = {
        names[a["image_id"]]: (*a["bbox"][:2], a["bbox"][0] + a["bbox"][2], a["bbox"][1] + a["bbox"][3])
        for a in annotations["annotations"]
    }
    tables = [read_boxes(path) for path in (wells_run / "results/boxes").glob("*.parquet")]
    found = pd.concat(tables).set_index("image_file").loc[list(truth), CORNERS].to_numpy()
    boxes = np.array(list(truth.values()))
    fixed = np.median(boxes, axis=0)[None].repeat(len(boxes), axis=0)
    assert intersection_over_union(boxes, found).mean() > intersection_over_union(boxes, fixed).mean() + 0.1


@pytest.mark.slow
def test_both_forms_of_annotations_are_cleaned_and_counted(wells_run: Path) -> None:
    counts = pd.read_csv(wells_run / "results/detector/image_sets.tsv", sep="\t").set_index("image_set")
    columns = ["images", "boxes", "empty_wells", "placeholders_removed"]
    assert counts.loc["wells-train", columns].tolist() == [820, 585, 235, 235]
    assert counts.loc["wells-val", columns].tolist() == [175, 125, 50, 0]


@pytest.mark.slow
def test_the_training_on_real_wells_learns(wells_run: Path) -> None:
    history = pd.read_csv(wells_run / "results/detector/wells-train/history.tsv", sep="\t")
    assert history["loss"].iloc[-1] < 0.8 * history["loss"].iloc[0]
    figures = pd.read_csv(wells_run / "results/detector/metrics_published.tsv", sep="\t").iloc[0]
    assert figures["ar_50_95"] > figures["fixed_box_ar_50_95"]
    assert figures["mean_iou"] > figures["fixed_box_mean_iou"] + 0.1


@pytest.mark.slow
def test_audit_of_the_real_run_finds_every_file_intact(wells_run: Path) -> None:
    counts = json.loads((wells_run / "results/provenance/audit.json").read_text())
    assert counts["files"] == counts["intact"]


def test_a_custom_task_on_labelled_photographs_is_config_only(tmp_path: Path) -> None:
    """Classes named by a column of the user's own TSV, trained on whole photographs and tested."""
    data = Path(FOLDER) / "labelled"
    write_manifest(
        tmp_path, "--images", data, "--labels", data / "labels.tsv", "--label-columns", "class_label", "order", "family"
    )
    config = own_config(tmp_path)
    config["splits"]["experiments"] = {"photographs": {"label": "class_label", "largest_classes": 5}}
    config["classifier"] |= {
        "package": "original_256",
        "trials": {"photographs": ["resnet50_ce"]},
        "seeds": {"photographs": [1]},
    }
    write_config(tmp_path, config)
    snakemake_succeeds(tmp_path, "experiments")
    test = pd.read_csv(tmp_path / "results/summary/test.tsv", sep="\t").iloc[0]
    assert test["micro_top1"] > test["majority_share"] + 10
    assert not test.filter(like="published").size
    headline = (tmp_path / "results/summary/headline.txt").read_text()
    assert "majority class" in headline and "paper" not in headline
    snakemake_succeeds(tmp_path, "experiments", "--report", "results/report.html")
    report = (tmp_path / "results/report.html").read_text()
    assert all(title in report for title in ("Test (table 5)", "Confusion matrix", "Mistakes, and those"))


PHOTOGRAPHS_PER_FAMILY = 12


def museum(folder: Path) -> tuple[Path, Path]:
    """Photographs in folders by family, each with the file names of one camera, and the table that a museum has."""
    data = Path(FOLDER) / "labelled"
    labels = pd.read_csv(data / "labels.tsv", sep="\t", dtype=str, keep_default_na=False)
    lines = ["Datei;Gattung;Sammler"]
    for family, rows in labels[labels["family"] != ""].groupby("family"):
        (folder / "Fotos" / family).mkdir(parents=True)
        for number, row in enumerate(rows.head(PHOTOGRAPHS_PER_FAMILY).itertuples(), start=1):
            name = f"{family}\\IMG_{number:04}.JPG"
            shutil.copy(data / row.image_file, folder / "Fotos" / name.replace("\\", "/"))
            lines.append(f"{name};{row.genus or 'unbestimmt'};M\u00fcller, J\u00f6rg")
    (folder / "Liste.csv").write_bytes("\r\n".join(lines).encode("cp1252"))
    return folder / "Fotos", folder / "Liste.csv"


def test_a_museum_folder_with_equal_file_names_becomes_packages_and_splits(tmp_path: Path) -> None:
    photographs, table = museum(tmp_path)
    run = tmp_path / "run"
    of_table = ("--labels", table, "--image-column", "Datei", "--label-columns", "Gattung")
    write_manifest(run, "--images", photographs, *of_table, "--labels-from-folders", "family")
    metadata = "results/metadata/BIOSCAN_Insect_Dataset_metadata.tsv"
    snakemake_succeeds(run, "results/packages/original_256.hdf5", metadata)
    paths = sorted(path.relative_to(photographs).as_posix() for path in photographs.rglob("*.JPG"))
    assert [path_of_key(key) for key in ImagePackage(run / "results/packages/original_256.hdf5")] == paths
    rows = pd.read_csv(run / metadata, sep="\t", dtype=str, keep_default_na=False)
    assert (rows["image_file"].map(path_of_key).str.partition("/")[0] == rows["family"]).all()
    assert set(rows["Sammler"]) == {"M\u00fcller, J\u00f6rg"} and set(rows["by_family"]) >= {"train", "test"}
    assert not (run / "unmatched.tsv").exists()
    assert "train_classifier" in planned_jobs(snakemake_succeeds(run, "all", "--dry-run", "--quiet", "rules"))
