"""Figures are complete, fit 40 classes, and the same results give the same bytes."""

from __future__ import annotations

import io
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from bioscan1m.experiments.figures import (
    draw_class_accuracy,
    draw_confusion_matrix,
    draw_reliability,
    draw_training_curves,
)
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.figures import FULL_WIDTH, MOST_CLASSES, save_figure
from draw_experiment import draw_misclassified, draw_taken_for_dominant


def result(classes: int) -> dict:
    """What a test.json says, as far as figures need it; class 0 has no test image, later ones have more and more."""
    random = np.random.default_rng(classes)
    matrix = np.array([random.multinomial(3 * place, np.full(classes, 1 / classes)) for place in range(classes)])
    names = [f"Family{place:02d}idae" for place in range(classes)]
    images = matrix.sum(axis=1)
    return {
        "experiment": "large_diptera_family",
        "backbone": "vit_b_16",
        "loss": "ce",
        "seed": 1,
        "model": {"name": "ViTForImageClassification", "parameters": 85_800_000},
        "classes": names,
        "confusion_matrix": matrix.tolist(),
        "per_class": [
            {"class": name, "images": int(n), "accuracy": float(matrix[i, i] / n) if n else None}
            for i, (name, n) in enumerate(zip(names, images, strict=True))
        ],
        "metrics": {"macro_top1": 0.5, "calibration_error": 0.123},
        "reliability_curve": [
            {"images": 3, "confidence": 0.4, "accuracy": 0.5},
            {"images": 9, "confidence": 0.9, "accuracy": 0.8},
        ],
    }


def texts(figure: Figure) -> list[str]:
    """All that is written in a figure."""
    axes = figure.axes
    labels = [label for one in axes for label in (*one.get_xticklabels(), *one.get_yticklabels(), *one.texts)]
    return [label.get_text() for label in labels]


def test_bars_are_sorted_by_test_images_and_leave_out_classes_without():
    (axes, *_) = draw_class_accuracy(result(6)).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"Family{i:02d}idae" for i in (5, 4, 3, 2, 1)]


@pytest.mark.parametrize("classes", [2, 40])
def test_confusions_have_a_row_per_class_with_its_images(classes):
    test = result(classes)
    figure = draw_confusion_matrix(test)
    assert f"Family{classes - 1:02d}idae ({3 * (classes - 1)})" in texts(figure)
    shares = figure.axes[0].images[0].get_array()
    assert shares.shape == (classes, classes)
    assert np.allclose(shares.sum(axis=1), [1.0] * (classes - 1) + [0.0])


def test_of_many_classes_those_with_most_test_images_are_drawn_with_shares_of_all_their_images():
    test = result(3 * MOST_CLASSES)
    largest = f"Family{3 * MOST_CLASSES - 1}idae"
    bars, confusions = draw_class_accuracy(test), draw_confusion_matrix(test)
    for figure in (bars, confusions):
        labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert len(labels) == MOST_CLASSES and labels[0].startswith(largest)
    shares = confusions.axes[0].images[0].get_array()
    expected = np.array(test["confusion_matrix"])[-1, -MOST_CLASSES:].sum() / (3 * (3 * MOST_CLASSES - 1))
    assert np.isclose(shares[0].sum(), expected) and expected < 0.5
    assert "the 200 classes with most test images, of 600" in bars.get_suptitle()
    assert "the 200 classes with most test images, of 600" in confusions.axes[0].get_title()


@pytest.mark.parametrize("classes", [2, 16, 40])
def test_the_names_in_a_confusion_matrix_do_not_overlap_and_it_fits_the_report(classes):
    figure = draw_confusion_matrix(result(classes))
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        boxes = [label.get_window_extent() for label in labels]
        assert not any(one.overlaps(other) for one, other in pairwise(boxes))
    assert figure.get_size_inches()[0] < 1.1 * FULL_WIDTH


@pytest.mark.parametrize("classes", [2, 6, 10, 16, 40])
def test_nothing_of_a_confusion_matrix_is_cut_off(classes):
    """Names as long as Cecidomyiidae, and thousands of images."""
    test = result(classes)
    test["classes"] = [f"{name}tat" for name in test["classes"]]
    test["confusion_matrix"] = (1000 * np.array(test["confusion_matrix"])).tolist()
    test["per_class"] = [row | {"class": name} for row, name in zip(test["per_class"], test["classes"], strict=True)]
    figure = draw_confusion_matrix(test)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn, (width, height) = figure.get_tightbbox(canvas.get_renderer()), figure.get_size_inches()
    assert 0 <= drawn.x0 < drawn.x1 <= width and 0 <= drawn.y0 < drawn.y1 <= height


@pytest.mark.parametrize(("classes", "named_above"), [(16, False), (40, True)])
def test_many_classes_are_named_above_a_confusion_matrix_too(classes, named_above):
    axes = draw_confusion_matrix(result(classes)).axes[0]
    assert axes.xaxis.get_tick_params()["labeltop"] == named_above


def test_the_reliability_curve_has_a_point_and_a_bar_per_bin():
    curve, counts = (figure := draw_reliability(result(3))).axes
    assert curve.lines[1].get_xydata().tolist() == [[0.4, 0.5], [0.9, 0.8]]
    assert [bar.get_height() for bar in counts.patches] == [3, 9]
    assert "expected calibration error 12.3 %" in figure.get_suptitle()


def test_curves_have_one_line_per_seed_and_one_name_per_trial():
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [2.0, 1], "validation_loss": [2.0, 1], "micro_top1": [0, 1]})
    run = {"experiment": "x", "backbone": "resnet50", "loss": "ce", "best_epoch": 2}
    figure = draw_training_curves([history] * 3, [run, run, {**run, "loss": "focal"}])
    assert all(len(axes.lines) == 6 for axes in figure.axes)  # a curve and a dot per run
    assert [text.get_text() for text in figure.legends[0].texts] == ["resnet50, ce", "resnet50, focal"]


def predictions(logits: list[list[float]], truth: list[int]) -> Predictions:
    """Predictions of the classes Diptera and Odonata for images 0.jpg, 1.jpg, …"""
    image_files = [f"{place}.jpg" for place in range(len(truth))]
    return Predictions(["Diptera", "Odonata"], image_files, np.array(truth), np.array(logits, np.float32))


@pytest.fixture
def package() -> dict[str, bytes]:
    """Images 0.jpg to 39.jpg."""
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(buffer, "JPEG")
    return {f"{place}.jpg": buffer.getvalue() for place in range(40)}


def shown(figure) -> list[str]:
    """What stands above the images of a gallery."""
    return [axes.get_title() for axes in figure.axes if axes.images]


def heading(figure) -> str:
    """What stands above all of them."""
    return figure.subfigs[0].get_suptitle()


def test_the_surest_errors_come_first(package):
    some = predictions([[2, 0], [0, 1], [0, 3], [1, 0], [0.5, 0]], [0, 0, 0, 0, 1])
    figure = draw_misclassified(some, [package], "orders")
    assert shown(figure) == [
        "2.jpg\nDiptera\nas Odonata, 95%",
        "1.jpg\nDiptera\nas Odonata, 73%",
        "4.jpg\nOdonata\nas Diptera, 62%",
    ]
    assert heading(figure) == "orders\n3 of 5 images are misclassified (60.0%)"


def test_what_is_taken_for_the_dominant_class_is_shown_apart(package):
    some = predictions([[2, 0], [0, 1], [0, 3], [1, 0], [0.5, 0]], [0, 0, 0, 0, 1])
    figure = draw_taken_for_dominant(some, [package], "orders", "Diptera")
    assert shown(figure) == ["4.jpg\nOdonata\nas Diptera, 62%"]
    assert "1 of 3 misclassified images are predicted as Diptera, the dominant class (33.3%)" in heading(figure)


def test_many_errors_and_none_can_be_drawn(package, tmp_path):
    many = draw_misclassified(predictions([[0, 1]] * 40, [0] * 40), [package], "all wrong")
    assert len(shown(many)) == 24
    for draw in (draw_misclassified, partial(draw_taken_for_dominant, dominant="Odonata")):
        none = draw(predictions([[1, 0]] * 3, [0] * 3), [package], "all right")
        assert "none of 3 images" in heading(none)
        save_figure(none, tmp_path / "none.png")


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_same_results_give_the_same_bytes(tmp_path, suffix):
    for name in ("first", "second"):
        save_figure(draw_confusion_matrix(result(5)), tmp_path / f"{name}.{suffix}")
    assert (tmp_path / f"first.{suffix}").read_bytes() == (tmp_path / f"second.{suffix}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"first.{suffix}", f"second.{suffix}"]
