"""Mistakes are crossed with the findings of the boxes table, whatever the classifier makes of an image."""

from __future__ import annotations

import io
import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bioscan1m.boxes.table import FLAGS
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.gallery import IMAGES_PER_ROW, first_shown
from list_unusable_images import findings_by_image, show_low_quality, tabulate_low_quality


def boxes_of(names: list[str], cut_off: list[bool]) -> pd.DataFrame:
    """A boxes table of good boxes, of which some touch the border."""
    good = {"image_file": names, "status": "detected", "score": 0.9, "sharpness": 100.0} | dict.fromkeys(FLAGS, False)
    return pd.DataFrame(good).assign(touches_border=cut_off)


def predictions(names: list[str], wrong: list[bool], confidence: float = 2.0) -> Predictions:
    """Beetles, of which some are taken for flies."""
    logits = np.where(np.array(wrong)[:, None], [[0.0, confidence]], [[confidence, 0.0]]).astype(np.float32)
    return Predictions(["Coleoptera", "Diptera"], names, np.zeros(len(names), np.int64), logits)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_every_mistake_is_on_an_image_with_a_finding_or_on_another(images):
    names = [f"{place}.jpg" for place in range(len(images))]
    low, wrong = (list(flags) for flags in zip(*images, strict=True))
    row = tabulate_low_quality(findings_by_image(boxes_of(names, low)), {"moths": predictions(names, wrong)}).iloc[0]
    assert (row["images"], row["low_quality"], row["misclassified"]) == (len(images), sum(low), sum(wrong))
    both = sum(map(all, images))
    assert row["on_low_quality"] == row["mistakes_cut_off"] == both
    assert row["on_low_quality_share"] == (pytest.approx(100 * both / sum(wrong), abs=0.005) if any(wrong) else None)
    rates = [row[f"error_rate_{name}"] or 0 for name in ("low_quality", "others")]
    expected = rates[0] * sum(low) + rates[1] * (len(low) - sum(low))
    assert expected / 100 == pytest.approx(sum(wrong), abs=0.01)


def test_the_papers_share_stands_beside_its_own_experiments_alone():
    names = ["a.jpg", "b.jpg"]
    findings, test = findings_by_image(boxes_of(names, [True, False])), predictions(names, [True, True])
    experiments = ("small_insect_order", "large_insect_order", "medium_insect_order", "small_diptera_family")
    table = tabulate_low_quality(findings, dict.fromkeys(experiments, test))
    assert table["on_low_quality_share_published"].tolist()[:2] == [57, 45]
    assert table["on_low_quality_share_published"].isna().tolist() == [False, False, True, True]
    assert "on_low_quality_share_published" not in tabulate_low_quality(findings, {"moths": test})


def test_an_unsure_prediction_is_no_finding_and_an_image_without_a_row_has_none():
    names = ["a.jpg", "b.jpg"]
    findings = findings_by_image(boxes_of(["a.jpg"], [False]))
    row = tabulate_low_quality(findings, {"moths": predictions(names, [True, True], confidence=0.1)}).iloc[0]
    assert (row["misclassified"], row["on_low_quality"]) == (2, 0)


def test_a_name_that_is_there_twice_has_the_findings_of_the_first_which_is_used():
    boxes = boxes_of(["a.jpg", "a.jpg"], [True, False]).assign(status=["detected", "unreadable"])
    flags = findings_by_image(boxes)
    assert flags.index.tolist() == ["a.jpg"]
    assert flags.loc["a.jpg", "cut_off"] and not flags.loc["a.jpg", "unreadable"]


def test_the_figure_shows_photograph_and_crop_and_passes_over_what_is_not_packed(tmp_path):
    packed, names = {"a.jpg": jpeg(40, 30), "b.jpg": jpeg(40, 30)}, ["a.jpg", "b.jpg", "gone.jpg"]
    findings = findings_by_image(boxes_of(names, [True, False, True]))
    tests = {"moths": predictions(names, [True] * 3), "flies": predictions(names, [False] * 3)}
    figure = show_low_quality(findings, tests, packed, dict.fromkeys(packed, jpeg(30, 30)))
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == ["a.jpg\nColeoptera\nas Diptera\ncut off"]
    height, width = shown[0].images[0].get_size()
    assert height > 1.5 * width  # one below the other
    assert [sub.get_suptitle() for sub in figure.subfigs] == [
        "moths: 2 of 3 misclassified test images have a finding",
        "flies: 0 of 0 misclassified test images have a finding",
    ]
    save_figure(figure, tmp_path / "mistakes.png")


@pytest.mark.parametrize("lost", [b"no image", b"", None])
def test_an_image_without_a_crop_is_shown_as_photograph_and_one_without_both_is_left_out_and_named(caplog, lost):
    names = ["a.jpg", "b.jpg", "c.jpg"]
    photographs = {"a.jpg": jpeg(40, 30), "b.jpg": jpeg(40, 30)}
    crops = {"a.jpg": jpeg(30, 30)} | ({"b.jpg": lost, "c.jpg": lost} if lost is not None else {})
    test = predictions(names, [True] * 3)
    with caplog.at_level(logging.INFO):
        figure = show_low_quality(findings_by_image(boxes_of(names, [True] * 3)), {"moths": test}, photographs, crops)
    heights = [axes.images[0].get_size()[0] for axes in figure.axes if axes.images]
    assert len(heights) == 2 and heights[0] > heights[1]
    assert "1 left out of the figure, no package has a readable image: c.jpg" in caplog.text


def test_one_image_after_another_is_passed_over_until_a_row_is_full(caplog):
    packed = {f"{place}.jpg": jpeg(40, 30) for place in range(10, 30)}
    with caplog.at_level(logging.INFO):
        shown = first_shown([(f"{place}.jpg", str(place)) for place in range(30)], [{}, packed], IMAGES_PER_ROW)
    assert [text for _, text in shown] == [f"{place}.jpg\n{place}" for place in range(10, 16)]
    assert "10 left out" in caplog.text and "0.jpg, 1.jpg, 2.jpg, ..." in caplog.text
    assert first_shown([("a.jpg", "a")], [], IMAGES_PER_ROW) == []


def jpeg(width: int, height: int) -> bytes:
    with io.BytesIO() as file:
        Image.new("RGB", (width, height), "green").save(file, "JPEG")
        return file.getvalue()
