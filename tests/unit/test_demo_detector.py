"""The demo's base detector is small, learns from wells that the demo does not have, and finds insects."""

from __future__ import annotations

from pathlib import Path

import torch
from small_detectors import PREPROCESSOR, write_detector

from bioscan1m.detector.evaluation import evaluate, metrics
from bioscan1m.detector.model import load_detector
from synthetic.demo_detector import draw_examples, evaluation_wells, small_detr, training_wells

COMMITTED = Path(__file__).parents[1] / "demo/detector"
LARGEST_BYTES = 4 * 2**20


def test_it_is_small():
    assert sum(parameter.numel() for parameter in small_detr().parameters()) <= 1_000_000
    assert write_detector(COMMITTED)[0].stat().st_size < LARGEST_BYTES


def test_its_wells_are_another_mix_and_the_same_each_time():
    wells = training_wells(seed=5, count=300)
    assert wells == training_wells(seed=5, count=300) != training_wells(seed=6, count=300)
    assert "Diptera" not in {well.taxon.order for well in wells}
    assert len({well.taxon.form for well in wells}) > 5
    assert 0 < sum(well.empty for well in wells) < 30


def test_wells_become_examples():
    wells = training_wells(seed=5, count=4)
    for well, drawn in zip(wells, draw_examples(wells, 5, PREPROCESSOR, "wells"), strict=True):
        assert drawn.image.pixels.shape == (3, 48, 64)
        assert drawn.boxes.shape == (0 if well.empty else 1, 4)


def test_the_committed_detector_finds_insects_of_the_demos_mix():
    detector = load_detector(*write_detector(COMMITTED), torch.device("cpu"))
    unseen = draw_examples(evaluation_wells(seed=7, count=30), 7, detector.preprocessor, "wells")
    assert metrics(evaluate(detector, unseen, batch_size=10))["mean_iou"] >= 0.75
