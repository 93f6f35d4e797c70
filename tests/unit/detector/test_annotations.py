"""Every form of annotation that label tools write gives the same boxes; what is wrong in one is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.detector.coco_files import GivenImage, read_coco
from bioscan1m.detector.faults import Faults
from bioscan1m.detector.masks import outline_of
from bioscan1m.detector.plausibility import fit_boxes
from bioscan1m.foundation.errors import InputError

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


def images_of(folder: Path, coco: object, category: str | list[str] | None = None) -> tuple[GivenImage, ...]:
    """The images of a file without faults."""
    path = write(folder, coco)
    faults = Faults(path)
    found = read_coco(path, category, faults)
    faults.refuse()
    return found.images


def boxes_of(folder: Path, coco: object, category: str | list[str] | None = None) -> list[list[list[float]]]:
    """The corners of the boxes of each image, for photographs of 100x80 pixels."""
    images = images_of(folder, coco, category)
    faults = Faults(folder)
    found = fit_boxes([(image, (100, 80)) for image in images], "pixels", faults)
    faults.refuse()
    return [boxes.tolist() for boxes in found]


def test_both_forms_give_the_same_boxes(tmp_path):
    expected = [[[10.5, 20, 40.5, 60]], [], [[1, 2, 4, 6], [50, 50, 55, 56]]]
    assert boxes_of(tmp_path, CLEAN) == boxes_of(tmp_path, AS_EXPORTED) == expected
    clean, exported = images_of(tmp_path, CLEAN), images_of(tmp_path, AS_EXPORTED)
    assert [image.name for image in clean] == ["fly.jpg", "empty.jpg", "two.jpg"]
    assert [image.name for image in exported] == ["fly.jpg", "empty.jpg", "batch/two.jpg"]
    assert [image.size for image in clean] == [(100, 80)] * 3
    assert [image.size for image in exported] == [None] * 3


def test_a_missing_box_is_that_of_the_polygons(tmp_path):
    coco = with_box(None, segmentation=[[10, 20, 30, 25, 15, 40], [5, 30, 6, 31, 7, 33]])
    assert boxes_of(tmp_path, coco)[0] == [[5, 20, 30, 40]]
    assert boxes_of(tmp_path, with_box([], segmentation=["5", 20, 30.0, 40]))[0] == [[5, 20, 30, 40]]


def mask(compressed: bool) -> dict:
    """A mask of 100x80 pixels with a rectangle and a single pixel: corners 7, 3 to 31, 60."""
    pixels = np.zeros((80, 100), dtype=np.uint8, order="F")
    pixels[10:60, 7:30] = 1
    pixels[3, 30] = 1
    if compressed:
        found = pycocotools.mask.encode(pixels)
        return {"size": found["size"], "counts": found["counts"].decode()}
    flat = pixels.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    return {"size": ["80", 100.0], "counts": np.diff([0, *edges, flat.size]).tolist()}


@pytest.mark.parametrize("compressed", [True, False])
def test_masks_give_their_corners_where_there_is_no_box(tmp_path, compressed):
    assert boxes_of(tmp_path, with_box(None, segmentation=mask(compressed)))[0] == [[7, 3, 31, 60]]
    assert boxes_of(tmp_path, with_box([1, 2, 30, 40], segmentation=mask(compressed)))[0] == [[1, 2, 31, 42]]
    assert boxes_of(tmp_path, with_box([1, 2, 30, 40], segmentation={"counts": "?"}))[0] == [[1, 2, 31, 42]]


def test_masks_of_another_size_are_scaled(tmp_path):
    large = {"size": [160, 200], "counts": [160 * 20 + 40, 40, 120, 40, 160 * 178 + 80]}
    assert boxes_of(tmp_path, with_box(None, segmentation=large))[0] == [[10, 20, 11, 40]]


@given(st.binary(min_size=1, max_size=60), st.integers(1, 9))
def test_compressed_masks_have_the_corners_that_the_reference_finds(bits, height):
    pixels = np.unpackbits(np.frombuffer(bits, dtype=np.uint8))
    pixels = np.asfortranarray(pixels[: pixels.size // height * height].reshape(-1, height).T)
    if not pixels.any():
        return
    encoded = pycocotools.mask.encode(pixels)
    x, y, width, height = pycocotools.mask.toBbox(encoded)
    found = outline_of({"size": encoded["size"], "counts": encoded["counts"].decode()})
    assert found is not None and found.corners == (x, y, x + width, y + height)


def test_numbers_as_text_and_ids_of_other_types_are_numbers(tmp_path):
    coco = {
        "images": [
            {"id": 7.0, "file_name": "fly.jpg", "width": "100", "height": "80.0"},
            {"id": "3", "file_name": "b"},
        ],
        "annotations": [
            {"image_id": "7", "category_id": "1", "bbox": ["10", " 20.5", "3e1", "40"], "iscrowd": "0"},
            {"id": None, "image_id": 3, "category_id": 1.0, "bbox": [1, 2, 3, 4.0], "iscrowd": False, "area": "12"},
        ],
    }
    assert boxes_of(tmp_path, coco) == [[[10, 20.5, 40, 60.5]], [[1, 2, 4, 6]]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_file_with_a_byte_order_mark_or_in_utf_16_is_read(tmp_path, encoding):
    (tmp_path / "boxes.json").write_text(json.dumps(CLEAN), encoding=encoding)
    found = read_coco(tmp_path / "boxes.json", None, Faults("boxes.json"))
    assert [len(image.boxes) for image in found.images] == [1, 0, 2]


def test_crowds_are_left_out_and_an_image_of_a_crowd_alone_is_no_empty_well(tmp_path, caplog):
    crowds = [
        {"id": 7, "image_id": 3, "category_id": 5, "bbox": [0, 0, 90, 70], "iscrowd": 1, "segmentation": mask(False)},
        {"id": 8, "image_id": 9, "category_id": 0, "bbox": [0, 0, 90, 70], "iscrowd": "1"},
    ]
    found = images_of(tmp_path, {**CLEAN, "annotations": [*CLEAN["annotations"], *crowds]})
    assert [(image.name, len(image.boxes)) for image in found] == [("fly.jpg", 1), ("two.jpg", 2)]
    assert "2 annotations of crowds (iscrowd) are left out" in caplog.text
    assert "1 images with crowds alone are left out: empty.jpg" in caplog.text


CATEGORIES = {
    **CLEAN,
    "annotations": [{**annotation, "category_id": place} for place, annotation in enumerate(CLEAN["annotations"])],
    "categories": [
        {"id": 0, "name": "ant"},
        {"id": 1, "name": "bee"},
        {"id": "2", "name": 7},
        {"id": 3, "name": "wasp"},
    ],
}


@pytest.mark.parametrize(
    ("category", "numbers"),
    [("all", [1, 0, 2]), ("bee", [1, 0, 0]), (["ant", "7"], [0, 0, 2]), ("2", [0, 0, 1]), (["bee", "wasp"], [1, 0, 0])],
)
def test_the_chosen_categories_are_read(tmp_path, category, numbers):
    assert [len(image.boxes) for image in images_of(tmp_path, CATEGORIES, category)] == numbers


@pytest.mark.parametrize(
    ("category", "named"),
    [
        (None, "several categories, '7', 'ant', 'bee'; set `category` of the image set in the config"),
        ("fly", "no boxes of the category fly .* there are '7', 'ant', 'bee'"),
        (["bee", "fly"], "no boxes of the category fly"),
        ("wasp", "no boxes of the category wasp"),
    ],
)
def test_categories_that_are_not_clear_are_refused(tmp_path, category, named):
    with pytest.raises(InputError, match=named):
        images_of(tmp_path, CATEGORIES, category)


def test_two_ids_of_one_name_are_one_category(tmp_path):
    same = {**CATEGORIES, "categories": [{"id": number, "name": "insect"} for number in range(3)]}
    assert [len(image.boxes) for image in images_of(tmp_path, same)] == [1, 0, 2]


@pytest.mark.parametrize(
    ("coco", "named"),
    [
        ("not json", "not JSON"),
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a COCO file"),
        ({"images": []}, "`annotations`"),
        ({**CLEAN, "images": {"7": "fly.jpg"}}, "`images` must be a list"),
        ({**CLEAN, "images": CLEAN["images"] * 2}, "image id given more than once: 7"),
        ({**CLEAN, "images": [*CLEAN["images"], {"id": "7", "file_name": "a"}]}, "image id given more than once: 7"),
        ({**CLEAN, "images": [*CLEAN["images"], {"id": 1, "file_name": ".\\\\fly.jpg"}]}, "image name .* fly.jpg"),
        ({**CLEAN, "images": [{"id": 7, "file_name": 12}]}, "image 7 has the name 12"),
        ({**CLEAN, "images": [{"id": 7, "file_name": ["a.jpg"]}]}, "image 7 has the name"),
        ({**CLEAN, "images": [{"id": 7, "file_name": "\ud800.jpg"}]}, "image 7 has the name"),
        ({**CLEAN, "images": [{"id": 7}]}, "image 7 has neither file_name nor toras_path"),
        ({**CLEAN, "images": [{"file_name": "fly.jpg"}]}, "image 1 of the list has the id None"),
        ({**CLEAN, "images": [{"id": [7], "file_name": "fly.jpg"}]}, r"image 1 of the list has the id \[7\]"),
        ({**CLEAN, "images": [{**CLEAN["images"][0], "width": [100]}]}, "image 7 has the width and height"),
        ({**CLEAN, "images": CLEAN["images"][:1]}, "annotation 1 is of image 3"),
        ({**CLEAN, "categories": {"0": "insect"}}, "`categories` must be a list"),
        (with_box([1, 2, 30]), r"annotation 5 of fly.jpg has the box \[1, 2, 30\]"),
        (with_box({"x": 1}), "annotation 5 of fly.jpg has the box"),
        (with_box([[1, 2], [3, 4]]), "annotation 5 of fly.jpg has the box"),
        (with_box([True, 2, 30, 40]), "annotation 5 of fly.jpg has the box"),
        (with_box(["1,5", 2, 30, 40]), "annotation 5 of fly.jpg has the box"),
        (with_box([10**400, 2, 30, 40]), "annotation 5 of fly.jpg has the box"),
        (with_box(None), "annotation 5 of fly.jpg has the box None"),
        (with_box("abcd"), "annotation 5 of fly.jpg has the box 'abcd'"),
        (with_box([1, 2, float("nan"), 4]), "annotation 5 of fly.jpg has the box"),
        (with_box([10, 2, -3, 4]), "annotation 5 of fly.jpg has the box .* without area"),
        (with_box([1, 2, 3, 0]), "without area"),
        (with_box([1, 2, 30, 40], area=[9]), r"has the area \[9\]"),
        (with_box([1, 2, 30, 40], iscrowd=[1]), r"has the iscrowd \[1\]"),
        (with_box([1, 2, 30, 40], category_id=[1]), r"has the category_id \[1\]"),
        (with_box(None, segmentation=[[1, 1, 2, 1, 3, 1]]), "polygons without area"),
        (with_box(None, segmentation=[[1, 1, 2, 1, 3]]), "polygons without area"),
        (with_box(None, segmentation=[["a", "b"]]), "polygons without area"),
        (with_box(None, segmentation={"size": [2, 2], "counts": [1, 1]}), "polygons without area"),
        (with_box(None, segmentation={"size": [80, 100], "counts": "~~~"}), "polygons without area"),
        (with_box([0, 0, 0, 0], segmentation=[[1, 1, 2, 2, 3, 1]]), "without area"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, coco, named):
    with pytest.raises(InputError, match=named) as error:
        boxes_of(tmp_path, coco)
    assert str(tmp_path) in str(error.value) and len(str(error.value)) < 1000


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: no such file"):
        read_coco(tmp_path / "none.json", None, Faults("none"))


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"_via_settings": {}, "_via_img_metadata": {"fly.jpg12": {}}}, "VIA.*COCO format"),
        ({"fly.jpg12": {"filename": "fly.jpg", "size": 12, "regions": []}}, "VIA.*COCO format"),
        ({"version": "5", "flags": {}, "shapes": [], "imagePath": "fly.jpg"}, "labelme.*one COCO file"),
        ([{"id": 1, "annotations": [], "data": {"image": "fly.jpg"}}], "Label Studio.*export COCO"),
        ([{"image": "fly.jpg", "annotation_id": 1, "label": []}], "Label Studio.*export COCO"),
        ({"info": {}, "categories": {}, "items": []}, "Datumaro"),
        ({"name": "insects", "samples": []}, "FiftyOne.*COCODetectionDataset"),
        ([{"image_id": 1, "category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.9}], "COCO results"),
        ([{"image": "fly.jpg", "annotations": []}], "Create ML"),
        ({"item": {"name": "fly.jpg"}, "annotations": []}, "Darwin"),
        ({"size": {"width": 1}, "objects": []}, "Supervisely"),
        ({"images": [{"file": "fly.jpg"}], "detection_categories": {}}, "MegaDetector"),
        ("<annotation>\n<folder>wells</folder></annotation>", "Pascal VOC"),
        ("<?xml version='1.0'?>\n<annotations><version>1.1</version></annotations>", "XML file of CVAT.*COCO 1.0"),
        ("0 0.5 0.5 0.1 0.2\n1 0.3 0.2 0.1 0.1\n", "YOLO"),
        ("train: images/train\nnames: [insect]\n", "YOLO"),
        ("filename,width,height,class,xmin,ymin,xmax,ymax\nfly.jpg,1,1,i,0,0,1,1\n", "a table"),
        ('{"image": "a"}\n{"image": "b"}\n', "an object on each line"),
    ],
)
def test_other_formats_are_named_with_the_export_to_choose(tmp_path, content, named):
    with pytest.raises(InputError, match=f"boxes.json: this is .*{named}"):
        images_of(tmp_path, content)


def test_all_faults_of_a_file_are_in_one_message(tmp_path):
    images = [{"id": number, "file_name": number} for number in range(30)]
    with pytest.raises(InputError) as error:
        images_of(tmp_path, {"images": images, "annotations": [{"id": 1, "image_id": 5, "bbox": "?"}]})
    message = str(error.value)
    assert "31 faults:" in message and message.count("which is no file name") == 20 and "and 11 more" in message
