"""Whatever a file of annotations holds, it is read right or refused by its name; no value gives a traceback."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan1m.detector.annotations import read_annotations
from bioscan1m.foundation.errors import InputError
from clean_annotations import clean_annotations

ARCHIVE = Path(__file__).parents[2] / "cases/coco_images.zip"  # a.jpg, b.jpg, c.jpg in images/, 640x480
SIDES = st.floats(10, 300)
BOXES = st.tuples(st.floats(0, 300), st.floats(0, 150), SIDES, SIDES).map(list)
SPELLINGS = (lambda number: number, str, float, lambda number: f" {float(number)} ")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "1", "1.0", "nan", "1e999", "\ud800", "../..", "a.jpg", "https://[", "a?d=%", 0, -1, 10**400]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def coco_files(draw):
    """A well-formed file of the three images, with its boxes by image name."""
    spell = draw(st.sampled_from(SPELLINGS))
    images, annotations, truth = [], [], {}
    for number, name in enumerate("abc", start=1):
        stated = draw(st.booleans())
        images.append({"id": spell(number), "file_name": f"images/{name}.jpg"})
        images[-1] |= {"width": spell(640), "height": spell(480)} if stated else {}
        truth[f"{name}.jpg"] = draw(st.lists(BOXES, max_size=2))
        for box in truth[f"{name}.jpg"]:
            x, y, width, height = box
            outline = [[x, y, x + width, y, x + width, y + height, x, y + height]]
            annotations.append(
                {
                    "id": spell(len(annotations) + 1),
                    "image_id": draw(st.sampled_from(SPELLINGS))(number),
                    "category_id": 1,
                    "bbox": [spell(value) for value in box],
                    "area": width * height,
                    "iscrowd": draw(st.sampled_from([0, "0", False, None])),
                    "segmentation": draw(st.sampled_from([[], outline])),
                }
            )
    categories = [{"id": 1, "name": "insect"}, {"id": 2, "name": "unused"}]
    return {"images": images, "annotations": annotations, "categories": categories}, truth


def places_of(value: object) -> list[tuple]:
    """The paths of keys and positions to all values within a value, itself first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key, *rest) for key, child in inner for rest in places_of(child))]


def with_value(document: dict, place: tuple, value: object) -> object:
    if not place:
        return value
    changed = copy.deepcopy(document)
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    return changed


def clean(document: object, **how: object) -> dict[str, np.ndarray] | InputError:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "boxes.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        cleaned, counts = Path(folder) / "clean.json", Path(folder) / "counts.tsv"
        try:
            clean_annotations(ARCHIVE, path, cleaned, counts, "set", **how)
        except InputError as error:
            assert "boxes.json" in str(error) or ARCHIVE.name in str(error)
            return error
        return {image.image_file: image.boxes for image in read_annotations(cleaned)}


@settings(max_examples=40)
@given(coco_files())
def test_well_formed_files_are_read_right(given_file):
    document, truth = given_file
    found = clean(document)
    assert isinstance(found, dict), found
    for name, boxes in truth.items():
        assert np.allclose(found[name], np.reshape([[x, y, x + w, y + h] for x, y, w, h in boxes], (-1, 4)))


@settings(max_examples=40)
@given(coco_files(), st.data())
def test_values_of_other_types_are_read_or_refused(given_file, data):
    document, _ = given_file
    changed: object = document
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places_of(changed)))
        changed = with_value(changed, place, data.draw(VALUES))
    form = data.draw(st.sampled_from(["pixels", "normalised", "corners"]))
    found = clean(changed, boxes=form, category=data.draw(st.sampled_from([None, "all", "insect", ["insect", "x"]])))
    if isinstance(found, dict):
        for boxes in found.values():
            assert np.isfinite(boxes).all() and (boxes[:, 2:] - boxes[:, :2] >= 0.99).all()
            assert boxes.min(initial=0) >= 0 and (boxes[:, 2:] <= [640, 480]).all()
