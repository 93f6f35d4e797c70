"""Images with something against them are listed with all of it, the worst first; good ones are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bioscan1m.boxes.table import FLAGS, SCHEMA
from bioscan1m.experiments.predictions import Predictions
from bioscan1m.inference.unusable_images import highest_confidence, list_unusable, show_unusable


def boxes(**odd: dict[str, Any]) -> pd.DataFrame:
    """Forty good rows of a boxes table, and odd ones by the name of the image with what differs."""
    good = {"status": "detected", "score": 0.9, "second_score": 0.1, "box_share": 0.1, **dict.fromkeys(FLAGS, False)}
    sharpness = np.geomspace(90, 250, 40)
    rows = [{"image_file": f"{place}.jpg", **good, "sharpness": value} for place, value in enumerate(sharpness)]
    rows += [{"image_file": f"{name}.jpg", **good, "sharpness": 150.0, **differs} for name, differs in odd.items()]
    return pd.DataFrame(rows, columns=SCHEMA.names).astype(dict.fromkeys(FLAGS, "boolean"))


def test_every_finding_is_named_and_images_with_most_come_first():
    table = boxes(
        border={"touches_border": True},
        empty={"status": "below_threshold", "score": 0.2, "tiny": True, "sharpness": 5.0},
        two={"ambiguous": True, "score": 0.6},
        soft={"sharpness": 20.0},
        black={"blank": True, "status": "below_threshold", "score": 0.1},
        broken={"status": "unreadable", "score": None, "sharpness": None, **dict.fromkeys(FLAGS, None)},
    )
    found = list_unusable(table, [])
    assert found["image_file"].iloc[0] == "empty.jpg"
    assert found.set_index("image_file")["findings"].to_dict() == {
        "empty.jpg": "no_insect,tiny,blurred",
        "black.jpg": "blank,no_insect",
        "two.jpg": "several_insects",
        "border.jpg": "cut_off",
        "soft.jpg": "blurred",
        "broken.jpg": "unreadable",
    }


def test_an_image_is_unsure_only_where_no_classifier_is_sure():
    logits = np.array([[0, 0, 0.1], [9, 0, 0]], np.float32)
    first = Predictions(["a", "b", "c"], ["0.jpg", "1.jpg"], np.array([0, 0]), logits)
    second = Predictions(["a", "b", "c"], ["1.jpg", "2.jpg"], np.array([0, 0]), np.zeros((2, 3), np.float32))
    assert highest_confidence([first, second]).round().to_dict() == {"0.jpg": 36, "1.jpg": 100, "2.jpg": 33}
    found = list_unusable(boxes(), [first, second])
    assert found["image_file"].tolist() == ["0.jpg", "2.jpg"]
    assert set(found["findings"]) == {"unsure"}


def test_a_run_of_good_images_has_an_empty_list_and_a_figure_that_says_so():
    found = list_unusable(boxes(), [])
    assert found.empty
    assert "0 images with a finding" in [sub.get_suptitle() for sub in show_unusable(found, {}).subfigs]
