"""Precision and recall are those of COCO; the tables and the gallery hold what was found."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_detectors import PREPROCESSOR, example, small_detector, well_jpeg

from bioscan1m.boxes.geometry import Crop
from bioscan1m.detector.evaluation import Evaluated, evaluate, fixed_box, metrics
from bioscan1m.detector.examples import read_examples
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.figures import save_figure
from draw_detector_gallery import draw_worst_boxes
from evaluate_detector import write_best_boxes, write_metrics
from tabulate_detector import tabulate_metrics

SEEDS = range(4)
CROP = Crop(ratio=1.4, extension="equal", aspect=None, rotate=False, rounding="nearest", pad_value=255, jpeg_quality=75)


def found(seed: int, shift: float = 0.0) -> Evaluated:
    """What a detector would find whose best box is the true one, moved right by a part of its width."""
    truth = example(seed)
    best = truth.boxes[0] + np.array([1, 0, 1, 0]) * shift * (truth.boxes[0, 2] - truth.boxes[0, 0])
    boxes = np.stack([np.array([0.0, 0, 3, 3]), best])
    iou = (1 - shift) / (1 + shift)
    return Evaluated(truth, boxes, np.array([0.1, 0.9]), iou)


def test_a_detector_that_is_right_has_full_precision_and_recall():
    figures = metrics([found(seed) for seed in SEEDS])
    assert figures == {"ap_75": 1, "ar_50_95": 1, "images": 4, "boxes": 4, "mean_iou": 1}


def test_a_box_that_is_off_counts_at_the_thresholds_it_reaches():
    figures = metrics([found(seed, shift=0.16) for seed in SEEDS])  # IoU 0.72: above 0.5, 0.55, 0.6, 0.65 and 0.7
    assert figures["ap_75"] == 0
    assert figures["ar_50_95"] == pytest.approx(0.5)


def test_a_box_in_an_empty_well_costs_precision():
    empty = Evaluated(example(9, empty=True), np.array([[0.0, 0, 9, 9]]), np.array([0.95]), np.nan)
    figures = metrics([empty, *(found(seed) for seed in SEEDS)])
    assert figures["ap_75"] == pytest.approx(0.8, abs=0.01)
    assert (figures["images"], figures["boxes"], figures["mean_iou"]) == (5, 4, 1)


def test_images_without_any_box_cannot_measure():
    with pytest.raises(InputError, match="none of the validation images has a box"):
        metrics([Evaluated(example(9, empty=True), np.zeros((1, 4)), np.ones(1), np.nan)])


def test_evaluation_runs_the_detector_on_every_example():
    examples = [example(1), example(2), example(3, (48, 64)), example(4, empty=True), example(5)]
    evaluated = evaluate(small_detector(), examples, batch_size=2)
    assert [item.example.image_file for item in evaluated] == ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    alone = evaluate(small_detector(), examples[2:3], batch_size=1)[0]
    np.testing.assert_allclose(evaluated[2].boxes, alone.boxes, atol=0.05)
    assert np.isnan([item.iou for item in evaluated]).tolist() == [False, False, False, True, False]


def test_the_fixed_box_is_the_one_that_fits_most_images():
    boxes = [[0, 0, 32, 24], [1, 1, 33, 25], [2, 0, 34, 24], [50, 40, 60, 46]]
    examples = [replace(example(seed), boxes=np.array([box], dtype=float)) for seed, box in enumerate(boxes)]
    fixed = fixed_box([*examples, example(9, empty=True)])
    assert len({tuple(item.best_box) for item in fixed}) == 1
    assert (np.abs(fixed[0].best_box - [1, 0.5, 33, 24.5]) <= 1).all()
    assert np.isnan(fixed[-1].iou)


def image_set(folder, broken=False):
    with ZipWriter(folder / "set.zip") as archive:
        for seed in SEEDS:
            archive.add(f"{seed}.jpg", b"broken" if broken and seed == 2 else well_jpeg(seed))
    images = [{"id": seed, "file_name": f"{seed}.jpg", "width": 64, "height": 48} for seed in SEEDS]
    boxes = [{"id": seed, "image_id": seed, "category_id": 0, "bbox": [1, 2, 30, 20]} for seed in SEEDS]
    (folder / "set.json").write_text(json.dumps({"images": images, "annotations": boxes, "categories": []}))
    return folder / "set.zip", folder / "set.json"


def test_image_sets_are_read_one_after_the_other(tmp_path):
    archive, annotations = image_set(tmp_path)
    examples = read_examples([archive] * 2, [annotations] * 2, PREPROCESSOR, threads=2)
    assert [read.image_file for read in examples] == [f"{seed}.jpg" for seed in SEEDS] * 2
    assert examples[0].boxes.tolist() == [[1, 2, 31, 22]]
    assert examples[0].image.pixels.shape == (3, 48, 64)


def test_an_annotated_image_that_cannot_be_read_is_named(tmp_path):
    archive, annotations = image_set(tmp_path, broken=True)
    with pytest.raises(InputError, match=r"set.zip: 2.jpg is annotated but cannot be used: not an image"):
        read_examples([archive], [annotations], PREPROCESSOR, threads=1)


def test_the_gallery_is_a_picture(tmp_path):
    write_best_boxes(tmp_path / "boxes.parquet", [found(seed, shift=seed / 10) for seed in SEEDS])
    figure = draw_worst_boxes(*image_set(tmp_path), tmp_path / "boxes.parquet", CROP)
    titles = [axes.get_title() for axes in figure.axes if axes.images]
    assert [title.split(",")[0] for title in titles] == [
        "3.jpg\nIoU 0.54", "2.jpg\nIoU 0.67", "1.jpg\nIoU 0.82", "0.jpg\nIoU 1.00",
    ]  # fmt: skip
    save_figure(figure, tmp_path / "gallery.png")
    with Image.open(tmp_path / "gallery.png") as picture:
        assert picture.format == "PNG" and picture.width > 1000


def test_the_tables_of_all_detectors_stand_beside_the_published_figures(tmp_path):
    empty = Evaluated(example(9, empty=True), np.array([[0.0, 0, 9, 9]]), np.array([0.95]), np.nan)
    evaluated = [empty, *(found(seed) for seed in SEEDS)]
    tables = [tmp_path / "a.tsv", tmp_path / "b.tsv"]
    fixed = fixed_box([example(seed) for seed in SEEDS])
    write_metrics(tables[0], "IP-100", "IW-150-val", evaluated, fixed)
    write_metrics(tables[1], "0042", "IW-150-val", evaluated, fixed)
    tabulate_metrics(tables, tmp_path / "metrics.tsv", tmp_path / "published.tsv")
    own = pd.read_csv(tmp_path / "metrics.tsv", sep="\t", dtype={"training_set": "str"})
    wells = ["ap_75_without_empty_wells", "empty_wells"]
    assert own.columns.tolist() == ["training_set", "val_set", "ap_75", "ar_50_95", *wells, "ap_50", "mean_iou"]
    assert (own["ap_50"] >= own["ap_75"]).all() and (own["mean_iou"] == 1).all()
    assert own["ap_75"].tolist() == pytest.approx([0.8, 0.8], abs=0.01)
    assert (own["ar_50_95"] == 1).all() and (own[wells] == [1, 1]).all(axis=None)
    assert own["training_set"].tolist() == ["IP-100", "0042"]
    beside = pd.read_csv(tmp_path / "published.tsv", sep="\t", dtype={"training_set": "str"})
    assert beside.loc[0, ["ap_75_published", "ar_50_95_published"]].tolist() == [0.543, 0.729]
    assert (beside["mean_iou"] == 1).all() and (beside["fixed_box_mean_iou"] < 1).all()
    assert beside.loc[1, ["ap_75_published", "ar_50_95_published"]].isna().all()


def test_tables_of_earlier_code_have_no_figures_without_empty_wells(tmp_path):
    (tmp_path / "a.tsv").write_text("training_set\tval_set\tap_75\tar_50_95\nIP-100\tIW-150-val\t0.5\t0.6\n")
    tabulate_metrics([tmp_path / "a.tsv"], tmp_path / "metrics.tsv", tmp_path / "published.tsv")
    own = pd.read_csv(tmp_path / "metrics.tsv", sep="\t")
    assert own["ap_75"].tolist() == [0.5] and own[["ap_75_without_empty_wells", "ap_50"]].isna().all(axis=None)
