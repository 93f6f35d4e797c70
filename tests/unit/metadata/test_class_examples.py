"""Figure 4: an image of each class with the number of its images, the largest classes first."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from draw_classes import MOST_CLASSES, choose_images, draw_classes


def jpeg(colour: str, side: int = 32) -> bytes:
    with io.BytesIO() as file:
        Image.new("RGB", (side, side), colour).save(file, "JPEG")
        return file.getvalue()


def split_of(folder: Path, labels: list[str]) -> Path:
    """The table of an experiment with an image of each of these labels, named by their places."""
    columns = {"image_file": [f"{place}.jpg" for place in range(len(labels))], "label": labels}
    pq.write_table(pa.table(columns), folder / "split.parquet")
    return folder / "split.parquet"


def test_of_each_class_the_readable_image_with_most_bytes_is_taken_if_it_is_packed(tmp_path):
    split = split_of(tmp_path, ["Diptera", "Diptera", "Diptera", "Diptera", "Embioptera", "Plecoptera"])
    large, small = jpeg("black", 64), jpeg("black")
    package = {"0.jpg": small, "1.jpg": large, "2.jpg": b"damaged" * 1000, "5.jpg": b"damaged"}
    assert choose_images(split, {"Diptera", "Embioptera", "Plecoptera"}, package) == {"Diptera": "1.jpg"}


def test_classes_come_largest_first_with_their_counts_and_none_is_made_up(tmp_path, caplog):
    classes = pd.DataFrame(
        {
            "experiment": "large_insect_order",
            "class": ["Diptera", "Coleoptera", "Embioptera"],
            "images": [896324, 47328, 6],
        }
    )
    split = split_of(tmp_path, ["Coleoptera", "Diptera"])
    package = {"0.jpg": jpeg("brown"), "1.jpg": jpeg("black")}
    with caplog.at_level(logging.INFO):
        figure = draw_classes(classes, {"large_insect_order": split}, package)
    assert "classes left out, the package has no readable image: Embioptera" in caplog.text
    assert [axes.get_title() for axes in figure.axes if axes.images] == [
        "1.jpg\nDiptera\n896,324",
        "0.jpg\nColeoptera\n47,328",
    ]
    assert figure.subfigs[0].get_suptitle() == "large_insect_order: 3 classes"


def test_of_many_classes_the_largest_are_shown(tmp_path):
    names = [f"species {place}" for place in range(MOST_CLASSES + 5)]
    classes = pd.DataFrame({"experiment": "moths", "class": names, "images": range(len(names), 0, -1)})
    package = dict.fromkeys((f"{place}.jpg" for place in range(len(names))), jpeg("white"))
    figure = draw_classes(classes, {"moths": split_of(tmp_path, names)}, package)
    assert len([axes for axes in figure.axes if axes.images]) == MOST_CLASSES
    assert figure.subfigs[0].get_suptitle() == "moths: 53 classes, of which the 48 largest"


def test_a_run_without_experiments_has_an_empty_figure():
    assert draw_classes(pd.DataFrame(columns=["experiment", "class", "images"]), {}, {}).axes == []
