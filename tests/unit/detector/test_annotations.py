"""Every published form of annotation gives the same boxes; what is wrong in one is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.archives import ZipWriter
from bioscan1m.detector.annotations import AnnotatedImage, pair_with_members, read_annotations
from bioscan1m.errors import InputError

CLEAN = {
    "images": [
        {"id": 7, "file_name": "fly.jpg", "width": 100, "height": 80},
        {"id": 9, "file_name": "empty.jpg", "width": 100, "height": 80},
        {"id": 3, "file_name": "two.jpg", "width": 100, "height": 80},
    ],
    "annotations": [
        {"id": 1, "image_id": 3, "category_id": 0, "bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 4, 2, 4, 6]]},
        {"id": 2, "image_id": 7, "category_id": 0, "bbox": [10.5, 20, 30, 40], "segmentation": []},
        {"id": 3, "image_id": 3, "category_id": 0, "bbox": [50, 50, 5, 6], "segmentation": []},
    ],
    "categories": [{"id": 0, "name": "insect"}],
}
AS_EXPORTED = {
    "images": [
        {"id": 7, "toras_path": "/fly.jpg"},
        {"id": 9, "toras_path": "/empty.jpg"},
        {"id": 3, "toras_path": "/batch/two.jpg"},
    ],
    "annotations": [
        *CLEAN["annotations"],
        {"id": 4, "image_id": 9, "category_id": 0, "bbox": [0, 0, 0, 0], "segmentation": []},
    ],
    "categories": [],
}


def write(folder: Path, coco: object) -> Path:
    path = folder / "boxes.json"
    path.write_text(coco if isinstance(coco, str) else json.dumps(coco), encoding="utf-8")
    return path


def with_box(box: object, **more: object) -> dict:
    return {**CLEAN, "annotations": [{"id": 5, "image_id": 7, "category_id": 0, "bbox": box, **more}]}


def test_both_forms_give_the_same_boxes(tmp_path):
    clean = read_annotations(write(tmp_path, CLEAN))
    exported = read_annotations(write(tmp_path, AS_EXPORTED))
    assert [image.image_file for image in clean] == ["fly.jpg", "empty.jpg", "two.jpg"]
    assert [image.boxes.tolist() for image in clean] == [
        [[10.5, 20, 40.5, 60]],
        [],
        [[1, 2, 4, 6], [50, 50, 55, 56]],
    ]
    for ours, theirs in zip(clean, exported, strict=True):
        assert ours.image_file == theirs.image_file
        np.testing.assert_array_equal(ours.boxes, theirs.boxes)
    assert [image.size for image in clean] == [(100, 80)] * 3
    assert [image.size for image in exported] == [None] * 3


def test_a_missing_box_is_that_of_the_polygons(tmp_path):
    coco = with_box(None, segmentation=[[10, 20, 30, 25, 15, 40], [5, 30, 6, 31, 7, 33]])
    assert read_annotations(write(tmp_path, coco))[0].boxes.tolist() == [[5, 20, 30, 40]]


@pytest.mark.parametrize(
    ("coco", "named"),
    [
        ("not json", "not JSON"),
        ("[]", "not a COCO file"),
        ({"images": []}, "`annotations`"),
        ({**CLEAN, "images": CLEAN["images"] * 2}, "image id given more than once: 7"),
        ({**CLEAN, "images": [*CLEAN["images"], {"id": 1, "file_name": "b/fly.jpg"}]}, "image name .* fly.jpg"),
        ({**CLEAN, "images": [{"id": 7}]}, "image 7 has neither file_name nor toras_path"),
        ({**CLEAN, "images": CLEAN["images"][:1]}, "annotation 1 is of image 3"),
        (with_box([1, 2, 3]), r"annotation 5 has the box \[1, 2, 3\]"),
        (with_box(None), "annotation 5 has the box None"),
        (with_box("abcd"), "annotation 5 has the box abcd"),
        (with_box([1, 2, float("nan"), 4]), "annotation 5 has the box"),
        (with_box([1, 2, -3, 4]), "annotation 5 has the box"),
        (with_box([1, 2, 3, 0]), "without area"),
        (with_box(None, segmentation=[[1, 1, 2, 1, 3, 1]]), "polygons without area"),
        (with_box(None, segmentation=[[1, 1, 2, 1, 3]]), "polygons without area"),
        (with_box(None, segmentation=[["a", "b"]]), "polygons without area"),
        (with_box([0, 0, 0, 0], segmentation=[[1, 1, 2, 2, 3, 1]]), "without area"),
        ({**CLEAN, "annotations": [*CLEAN["annotations"], {**CLEAN["annotations"][0], "category_id": 4}]}, "0, 4"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, coco, named):
    path = write(tmp_path, coco)
    with pytest.raises(InputError, match=named) as error:
        read_annotations(path)
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: no such file"):
        read_annotations(tmp_path / "none.json")


@given(st.lists(st.tuples(*[st.floats(0, 99)] * 2, *[st.floats(0.5, 50)] * 2), max_size=4))
def test_boxes_within_the_image_stay_inside_it(boxes):
    annotated = AnnotatedImage("a.jpg", np.array([[x, y, x + w, y + h] for x, y, w, h in boxes]).reshape(-1, 4), None)
    if any(x + w > 101 or y + h > 101 for x, y, w, h in boxes):
        with pytest.raises(InputError, match=r"a.jpg: (box .* lies outside|nothing of a box) .* image of 100x100"):
            annotated.boxes_in(100, 100)
    else:
        inside = annotated.boxes_in(100, 100)
        assert inside.min(initial=0) >= 0 and inside.max(initial=0) <= 100
        assert np.abs(inside - annotated.boxes).max(initial=0) <= 1


@pytest.mark.parametrize("box", [[-0.9, -0.9, -0.4, -0.4], [100.2, 10, 100.7, 15], [5, 99.9999999, 9, 100.9]])
def test_a_box_of_which_nothing_lies_within_the_image_is_named(box):
    annotated = AnnotatedImage("a.jpg", np.array([box], dtype=float), None)
    if box[1] < 100 and box[0] < 100 and min(box) > 0:
        assert annotated.boxes_in(100, 100)[0, 3] == 100  # a sliver of it does
        return
    with pytest.raises(InputError, match=r"a\.jpg: nothing of a box .* lies within the image of 100x100"):
        annotated.boxes_in(100, 100)


def test_annotations_of_another_size_are_refused():
    annotated = AnnotatedImage("a.jpg", np.array([[1.0, 2.0, 3.0, 4.0]]), (80, 100))
    with pytest.raises(InputError, match=r"a\.jpg: the annotations are of 80x100 pixels, the image has 100x80"):
        annotated.boxes_in(100, 80)


def test_members_are_paired_in_the_order_of_the_zip(tmp_path, caplog):
    with ZipWriter(tmp_path / "wells.zip") as archive:
        for name in ("part1/two.jpg", "part1/other.jpg", "fly.jpg", "empty.jpg"):
            archive.add(name, b"")
    pairs = pair_with_members(tmp_path / "wells.zip", read_annotations(write(tmp_path, CLEAN)))
    assert [(member.name, len(image.boxes)) for member, image in pairs] == [
        ("part1/two.jpg", 2),
        ("fly.jpg", 1),
        ("empty.jpg", 0),
    ]
    assert "1 images have no annotations and are left out: other.jpg" in caplog.text


def test_an_annotated_image_that_the_zip_lacks_is_named(tmp_path):
    with ZipWriter(tmp_path / "wells.zip") as archive:
        archive.add("fly.jpg", b"")
    with pytest.raises(InputError, match=r"wells.zip: lacks 2 annotated images: empty.jpg, two.jpg"):
        pair_with_members(tmp_path / "wells.zip", read_annotations(write(tmp_path, CLEAN)))
