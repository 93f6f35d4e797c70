"""Both published forms of annotation become the same clean file, held against the images and counted."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from small_detectors import well_jpeg
from test_annotations import AS_EXPORTED, CLEAN, write

from bioscan1m.archives import ZipWriter
from bioscan1m.detector.annotation_cleaning import clean_annotations
from bioscan1m.detector.annotations import read_annotations
from bioscan1m.errors import InputError

SIZE = (100, 80)


def clean(folder: Path, coco: object, size: tuple[int, int] = SIZE, **images: bytes) -> tuple[dict, pd.Series]:
    """The clean file's content and the counts, for a zip of the three images and others."""
    with ZipWriter(folder / "wells.zip") as archive:
        for name in ("two", "fly", "empty", "other"):
            archive.add(f"deep/part1/{name}.jpg", images.get(name, well_jpeg(1, size)))
    places = folder / "wells.zip", write(folder, coco), folder / "clean.json", folder / "counts.tsv"
    assert clean_annotations(*places, "IW-3") == {"in": 4, "out": 3}
    counts = pd.read_csv(folder / "counts.tsv", sep="\t").iloc[0]
    return json.loads((folder / "clean.json").read_text()), counts


def test_both_forms_become_the_same_file_in_the_order_of_the_zip(tmp_path):
    for name, form in (("a", CLEAN), ("b", AS_EXPORTED)):
        (tmp_path / name).mkdir()
        clean(tmp_path / name, form)
    assert (tmp_path / "a/clean.json").read_bytes() == (tmp_path / "b/clean.json").read_bytes()
    found = read_annotations(tmp_path / "a/clean.json")
    assert [(image.image_file, len(image.boxes), image.size) for image in found] == [
        ("two.jpg", 2, SIZE),
        ("fly.jpg", 1, SIZE),
        ("empty.jpg", 0, SIZE),
    ]


def test_the_clean_file_is_coco(tmp_path):
    coco, _ = clean(tmp_path, AS_EXPORTED)
    assert coco["categories"] == [{"id": 0, "name": "insect"}]
    assert coco["images"][0] == {"id": 1, "file_name": "two.jpg", "width": 100, "height": 80}
    assert coco["annotations"][0] == {
        "id": 1, "image_id": 1, "category_id": 0, "iscrowd": 0, "bbox": [1, 2, 3, 4], "area": 12,
    }  # fmt: skip


def test_what_was_found_is_counted(tmp_path):
    annotations = [
        *AS_EXPORTED["annotations"][1:],
        {"id": 8, "image_id": 3, "category_id": 0, "segmentation": [[1, 2, 4, 2, 4, 6]]},
        {"id": 9, "image_id": 3, "category_id": 0, "bbox": [90, 70, 10.5, 10]},
    ]
    _, counts = clean(tmp_path, {**AS_EXPORTED, "annotations": annotations})
    assert counts.to_dict() == {
        "image_set": "IW-3",
        "images": 3,
        "boxes": 4,
        "empty_wells": 1,
        "images_with_several_boxes": 1,
        "placeholders_removed": 1,
        "boxes_from_polygons": 1,
        "boxes_cut_at_the_edge": 1,
        "images_without_annotation": 1,
    }


def test_boxes_outside_the_image_and_another_size_are_named(tmp_path):
    with pytest.raises(InputError, match=r"two\.jpg: box .* lies outside the image of 50x40"):
        clean(tmp_path, AS_EXPORTED, size=(50, 40))
    with pytest.raises(InputError, match=r"two\.jpg: the annotations are of 100x80 pixels, the image has 50x40"):
        clean(tmp_path, CLEAN, size=(50, 40))


def test_an_image_that_cannot_be_read_and_one_that_is_missing_are_named(tmp_path):
    with pytest.raises(InputError, match=r"wells\.zip: fly\.jpg is annotated but cannot be used: not an image"):
        clean(tmp_path, CLEAN, fly=b"no image")
    missing = {**CLEAN, "images": [*CLEAN["images"], {"id": 1, "file_name": "gone.jpg"}]}
    with pytest.raises(InputError, match=r"lacks 1 annotated images: gone\.jpg"):
        clean(tmp_path, missing)
