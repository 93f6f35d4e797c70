"""The summary counts every image once by status, and the gallery shows the doubtful ones."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from bioscan1m.boxes.geometry import Crop
from bioscan1m.boxes.table import FLAGS, SCHEMA, UNREADABLE
from bioscan1m.foundation.figures import save_figure
from draw_doubtful import doubtful_boxes, draw_doubtful
from summarise_boxes import draw_measures, summarise_boxes

CROP = Crop(ratio=1.4, extension="equal", aspect=None, rotate=False, rounding="nearest", pad_value=255, jpeg_quality=75)


def boxes(count: int, seed: int = 0) -> pd.DataFrame:
    """Rows as in a boxes table, every third below the threshold, and an unreadable one."""
    rng = np.random.default_rng(seed)
    score = rng.random(count)
    rows = {
        "image_file": [f"{seed}-{number}.jpg" for number in range(count)],
        "width": 120,
        "height": 90,
        "x_min": 10.0,
        "y_min": 10.0,
        "x_max": rng.uniform(20, 110, count),
        "y_max": rng.uniform(20, 80, count),
        "score": score,
        "status": ["below_threshold" if number % 3 == 0 else "detected" for number in range(count)],
        "second_score": score / 2,
        "box_share": rng.random(count),
        "sharpness": rng.uniform(1, 1000, count),
        **{flag: rng.random(count) < 0.3 for flag in FLAGS},
    }
    table = pd.DataFrame(rows, columns=SCHEMA.names)
    broken = pd.DataFrame([{"image_file": f"{seed}-broken.jpg", "status": UNREADABLE}])
    return pd.concat([table.astype(dict.fromkeys(FLAGS, "boolean")), broken], ignore_index=True)


def test_every_image_is_counted_once():
    tables = {"1": boxes(30), "2": boxes(12, seed=1)}
    summary = summarise_boxes(tables).set_index("chunk")
    assert summary.index.tolist() == ["1", "2", "all"]
    assert (summary[["detected", "below_threshold", "unreadable"]].sum(axis=1) == summary["images"]).all()
    assert summary["images"].tolist() == [31, 13, 44]
    assert (summary.loc[["1", "2"]].sum()[FLAGS] == summary.loc["all", FLAGS]).all()
    assert (summary[FLAGS].max(axis=1) <= summary["detected"]).all()


def test_a_chunk_may_be_called_as_the_row_of_all():
    assert summarise_boxes({"all": boxes(30), "2": boxes(12)})["images"].tolist() == [31, 13, 44]


@pytest.mark.parametrize("count", [0, 1, 40])
def test_the_distributions_are_drawn(tmp_path, count):
    save_figure(draw_measures(boxes(count)), tmp_path / "boxes.svg")
    assert "</svg>" in (tmp_path / "boxes.svg").read_text()


def test_the_most_doubtful_come_first():
    rows = doubtful_boxes(boxes(40))
    assert all(table["status"].ne(UNREADABLE).all() for table in rows.values())
    assert rows["least sure"]["score"].is_monotonic_increasing
    assert rows["smallest"]["box_share"].is_monotonic_increasing
    assert rows["a second box is nearly as sure"]["ambiguous"].all()
    assert rows["touches the border"]["touches_border"].all()


def test_the_gallery_is_a_picture_also_where_images_lack(tmp_path):
    photograph = io.BytesIO()
    Image.new("RGB", (120, 90), "olive").save(photograph, "JPEG")
    table = boxes(40)
    packed = dict.fromkeys(table["image_file"][::2], photograph.getvalue())
    for name, images in (("some.png", packed), ("none.png", {})):
        save_figure(draw_doubtful(table, images, CROP), tmp_path / name)
        assert Image.open(tmp_path / name).width > 1000
