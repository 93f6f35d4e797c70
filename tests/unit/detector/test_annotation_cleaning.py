"""Every form of annotation becomes the same clean file, compared with the images and counted."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_detectors import well_jpeg
from test_annotations import AS_EXPORTED, CLEAN, write

from bioscan1m.detector.annotations import read_annotations
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.errors import InputError
from clean_annotations import clean_annotations

SIZE = (100, 80)


def clean(
    folder: Path, coco: object, size: tuple[int, int] = SIZE, category: str | None = None, **images: bytes
) -> tuple[dict, pd.Series]:
    """The clean file's content and the counts, for a zip of the three images and others."""
    with ZipWriter(folder / "wells.zip") as archive:
        for name in ("two", "fly", "empty", "other"):
            archive.add(f"deep/part1/{name}.jpg", images.get(name, well_jpeg(1, size)))
    places = folder / "wells.zip", write(folder, coco), folder / "clean.json", folder / "counts.tsv"
    assert clean_annotations(*places, "IW-3", category=category) == {"in": 4, "out": 3}
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
        {"id": 10, "image_id": 3, "category_id": 0, "bbox": [0, 0, 99, 79], "iscrowd": 1},
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
        "crowds_left_out": 1,
        "boxes_of_other_categories": 0,
        "images_scaled": 0,
    }


def test_an_image_that_cannot_be_read_and_one_that_is_missing_are_named(tmp_path):
    with pytest.raises(InputError, match=r"wells\.zip: fly\.jpg is annotated but cannot be used: not an image"):
        clean(tmp_path, CLEAN, fly=b"no image")
    missing = {**CLEAN, "images": [*CLEAN["images"], {"id": 1, "file_name": "gone.jpg"}]}
    with pytest.raises(InputError, match=r"lacks 1 annotated images: gone\.jpg"):
        clean(tmp_path, missing)


def test_it_is_said_that_boxes_are_taken_for_those_of_upright_photographs(tmp_path, caplog):
    """Upside down they have the same size, so that nothing else shows it."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 3
    Image.open(io.BytesIO(well_jpeg(1, SIZE))).save(file, "JPEG", exif=exif)
    clean(tmp_path, CLEAN)
    assert "EXIF" not in caplog.text
    clean(tmp_path, CLEAN, fly=file.getvalue())
    assert "boxes.json: 1 photographs are turned upright by their EXIF orientation, and boxes are taken" in caplog.text


def test_a_box_that_is_there_twice_is_one_insect(tmp_path, caplog):
    again = {**CLEAN["annotations"][2], "id": 4, "category_id": 1}
    categories = [*CLEAN["categories"], {"id": 1, "name": "fly"}]
    coco = {**CLEAN, "annotations": [again, *CLEAN["annotations"]], "categories": categories}
    found, _ = clean(tmp_path, coco, category="all")
    expected, _ = clean(tmp_path, CLEAN)
    assert sorted(box["bbox"] for box in found["annotations"]) == sorted(box["bbox"] for box in expected["annotations"])
    assert "1 boxes are equal to another one of their image" in caplog.text


def test_a_rectangle_that_cvat_has_turned_is_refused(tmp_path):
    boxes = [
        {**box, "segmentation": [], "attributes": {"rotation": angle}}
        for box, angle in zip(CLEAN["annotations"], (0.0, 90.0, 360.0), strict=True)
    ]
    with pytest.raises(InputError, match=r"boxes\.json: annotation 2 of fly\.jpg is rotated, but its bbox is"):
        clean(tmp_path, {**CLEAN, "annotations": boxes})


def test_faults_of_all_kinds_are_in_one_message(tmp_path):
    images = [*CLEAN["images"], {"id": 1, "file_name": 5}, {"id": 2, "file_name": "gone.jpg"}]
    boxes = [
        *CLEAN["annotations"],
        {"id": 8, "image_id": 3, "category_id": 0, "bbox": [90, 70, 30, 10]},
        {"id": 9, "image_id": 3, "category_id": 0, "bbox": "none"},
    ]
    with pytest.raises(InputError) as error:
        clean(tmp_path, {**CLEAN, "images": images, "annotations": boxes}, fly=b"no image")
    for named in (
        *("5 faults:", "image 1 has the name 5", "annotation 9 of two.jpg has the box 'none'", "lacks 1 annotated"),
        *("fly.jpg is annotated but cannot be used", "annotation 8 of two.jpg has the box [90.0, 70.0, 30.0, 10.0]"),
    ):
        assert named in str(error.value)


def test_boxes_of_a_resized_export_are_scaled_and_counted(tmp_path, caplog):
    coco, counts = clean(tmp_path, CLEAN, size=(200, 160))
    assert coco["annotations"][0]["bbox"] == [2, 4, 6, 8]
    assert [image["width"] for image in coco["images"]] == [200] * 3
    assert counts["images_scaled"] == 3 and "3 images have another size than stated" in caplog.text


CASES = Path(__file__).parents[2] / "cases"
RIGHT = [[10, 20, 110, 100], [50, 60, 250, 210]]


def clean_case(folder: Path, name: str, **settings: object) -> list[list[float]]:
    """The corners that a case of tests/cases/ is cleaned to."""
    places = CASES / "coco_images.zip", CASES / name, folder / "clean.json", folder / "counts.tsv"
    clean_annotations(*places, "case", **settings)
    return [box for image in read_annotations(folder / "clean.json") for box in image.boxes.tolist()]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("name_backslash.json", {}),
        ("bom.json", {}),
        ("string_image_id_only_in_annotations.json", {}),
        ("normalised.json", {"boxes": "normalised"}),
        ("two_categories.json", {"category": "all"}),
        ("two_categories.json", {"category": ["insect", "beetle"]}),
    ],
)
def test_the_cases_that_can_be_read_are(tmp_path, name, settings):
    assert clean_case(tmp_path, name, **settings) == pytest.approx(np.array(RIGHT))


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("name_number.json", "image 1 has the name 5"),
        ("normalised.json", "(?s)a.jpg has the box .*b.jpg has the box .*set `boxes: normalised`"),
        ("two_outside.json", r"(?s)a.jpg has the box \[-40.0, -30.0, .*b.jpg has the box \[-3.0, 60.0, "),
        ("two_categories.json", "'beetle', 'insect'; set `category` of the image set"),
    ],
)
def test_the_other_cases_are_refused_by_name(tmp_path, name, named):
    with pytest.raises(InputError, match=named) as error:
        clean_case(tmp_path, name)
    assert name in str(error.value) and not (tmp_path / "clean.json").exists()


def label_studio() -> dict:
    images = [
        {"width": 640, "height": 480, "id": place, "file_name": f"images\\1\\3f2a1b4{place}-{name}.jpg"}
        for place, name in enumerate("ab")
    ]
    boxes = [
        {"id": place, "image_id": place, "category_id": 0, "segmentation": [], "bbox": box, "ignore": 0, "iscrowd": 0}
        for place, box in enumerate(XYWH)
    ]
    return {"images": images, "categories": [{"id": 0, "name": "insect"}], "annotations": boxes, "info": {"year": 2025}}


def roboflow() -> dict:
    images = [
        {"id": place, "license": 1, "file_name": f"{name}_jpg.rf.{place}f0c1d2e3.jpg", "height": 240, "width": 320}
        for place, name in enumerate("ab")
    ]
    boxes = [
        {"id": place, "image_id": place, "category_id": 1, "bbox": halves(box), "segmentation": [], "iscrowd": 0}
        for place, box in enumerate(XYWH)
    ]
    categories = [{"id": 0, "name": "insects", "supercategory": "none"}, {"id": 1, "name": "fly"}]
    return {"info": {}, "licenses": [], "categories": categories, "images": images, "annotations": boxes}


def cvat() -> dict:
    images = [
        {"id": place, "width": 640, "height": 480, "file_name": f"wells/{name}.jpg", "license": 0, "coco_url": ""}
        for place, name in enumerate("ab", start=1)
    ]
    boxes = [
        {
            **{"id": place, "image_id": place, "category_id": 1, "segmentation": [], "area": box[2] * box[3]},
            **{"bbox": box, "iscrowd": 0, "attributes": {"occluded": False, "rotation": 0.0}},
        }
        for place, box in enumerate(XYWH, start=1)
    ]
    return {
        "licenses": [],
        "info": {},
        "categories": [{"id": 1, "name": "insect"}],
        "images": images,
        "annotations": boxes,
    }


def fiftyone() -> dict:
    images = [{"id": place, "file_name": f"/wells/{name}.jpg", "license": None} for place, name in enumerate("ab")]
    boxes = [
        {"id": 9 - place, "image_id": place, "category_id": None, "bbox": box, "area": 1.0 * box[2] * box[3]}
        for place, box in enumerate(XYWH)
    ]
    return {"info": {}, "licenses": [], "categories": [], "images": images, "annotations": boxes}


def via() -> dict:
    images = [{"id": place, "width": 0, "height": 0, "file_name": f"{name}.jpg"} for place, name in enumerate("ab", 1)]
    boxes = [
        {
            **{"id": place, "image_id": str(place), "bbox": box, "area": box[2] * box[3], "iscrowd": 0},
            "segmentation": [x for corner in around(box) for x in corner],
        }
        for place, box in enumerate(XYWH, start=1)
    ]
    return {"info": {}, "images": images, "annotations": boxes, "licenses": [], "categories": []}


XYWH = [[10, 20, 100, 80], [50, 60, 200, 150]]


def halves(box: list[int]) -> list[float]:
    return [side / 2 for side in box]


def around(box: list[int]) -> list[tuple[int, int]]:
    x, y, width, height = box
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


@pytest.mark.parametrize("export", [label_studio, roboflow, cvat, fiftyone, via])
def test_exports_of_label_tools_give_the_same_boxes(tmp_path, export):
    cleaned = tmp_path / "clean.json"
    path = write(tmp_path, export())
    assert clean_annotations(CASES / "coco_images.zip", path, cleaned, tmp_path / "counts.tsv", "set")["out"] == 2
    found = {image.image_file: image.boxes.tolist() for image in read_annotations(cleaned)}
    assert found == {"a.jpg": RIGHT[:1], "b.jpg": RIGHT[1:]}
    counts = pd.read_csv(tmp_path / "counts.tsv", sep="\t").iloc[0]
    assert counts["images_scaled"] == (2 if export is roboflow else 0) and counts["boxes_cut_at_the_edge"] == 0
