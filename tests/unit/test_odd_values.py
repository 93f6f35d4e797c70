"""Values of odd types, line ends and names in files of users: used, or refused by name, never with a traceback."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan1m.audit.trace import trace_image
from bioscan1m.detector.coco_files import read_coco
from bioscan1m.detector.faults import Faults
from bioscan1m.foundation.errors import InputError
from bioscan1m.metadata.validation import validate_metadata
from bioscan1m.package.images import GROUP, ImagePackage

COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}, {"id": 2, "file_name": "b.jpg"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], "iscrowd": 0},
        {"id": 2, "image_id": 2, "category_id": 1, "segmentation": [[1, 1, 2, 1, 2, 2]]},
    ],
    "categories": [{"id": 1, "name": "insect"}],
}
odd = st.sampled_from(
    [None, True, -1, 1e300, 10**400, float("nan"), "", "x", " 1 ", "\ud800", "\x00", "../x", [], [[[]]], {}, {"a": 1}]
)


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """The path of each value in a JSON document, without that of the whole."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, part in inner for found in [(*path, key), *places(part, (*path, key))]]


@settings(deadline=None, max_examples=300)
@given(place=st.sampled_from(places(COCO)), value=odd, category=st.sampled_from([None, "all", "insect", ["insect"]]))
def test_a_coco_file_with_an_odd_value_is_read_or_refused(tmp_path_factory, place, value, category):
    path = tmp_path_factory.mktemp("coco") / "annotations.json"
    coco = copy.deepcopy(COCO)
    entry: Any = coco
    for key in place[:-1]:
        entry = entry[key]
    entry[place[-1]] = value
    path.write_text(json.dumps(coco))
    faults = Faults(path)
    try:
        found = read_coco(path, category, faults)
    except InputError as error:
        assert str(path) in str(error)
    else:
        boxes = [box for image in found.images for box in image.boxes]
        assert len(found.images) <= 2 and len(boxes) <= 2


HEADER = ["sampleid", "image_file", "chunk_number", "order"]
cells = st.sampled_from(
    ["Diptera", "", "NA", "1e400", '"', '""', '"a\tb"', "\x00", "x\r", "-1", "\ufeff", "é\u2028", "#"]
)
ends = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\n\r"])


@settings(deadline=None, max_examples=150)
@given(odd_cells=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), cells), max_size=3), end=ends, last=ends)
def test_metadata_with_odd_cells_and_line_ends_are_read_or_refused(tmp_path_factory, odd_cells, end, last):
    folder = tmp_path_factory.mktemp("metadata")
    rows = [HEADER, *([f"s{n}", f"s{n}.jpg", "1", "Diptera"] for n in range(5))]
    for row, column, cell in odd_cells:
        rows[row][column] = cell
    lines = ["\t".join(row) for row in rows]
    source = folder / "metadata.tsv"
    source.write_text(end.join(lines) + last, encoding="utf-8", newline="")
    with suppress(InputError):
        validate_metadata(source, ["1"], ["order"], ["x"], folder / "valid.parquet", folder / "warnings.tsv", threads=1)
        assert (folder / "valid.parquet").is_file()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A package of some images."""
    path = tmp_path_factory.mktemp("packages") / "p.hdf5"
    with h5py.File(path, "w", libver=("earliest", "v110")) as file:
        group = file.create_group(GROUP)
        group.attrs["Copyright Holder"] = "someone"
        for number in range(40):
            group[f"{number}.jpg"] = np.full(50, number, np.uint8)
    return path.read_bytes()


@settings(deadline=None, max_examples=200)
@given(place=st.floats(0, 1), junk=st.binary(min_size=1, max_size=64), cut=st.booleans())
def test_a_damaged_package_is_read_or_named(tmp_path_factory, package, place, junk, cut):
    path = tmp_path_factory.mktemp("packages") / "p.hdf5"
    start = int(place * len(package))
    path.write_bytes(package[:start] + (b"" if cut else junk + package[start + len(junk) :]))
    images = ImagePackage(path)
    try:
        assert len(images) >= 0 and len(images.attributes) >= 0
        for name in images:
            with suppress(KeyError):  # a name that was damaged
                assert isinstance(images[name], bytes) and len(images.place(name)) == 2
    except InputError as error:
        assert str(path) in str(error)


@given(
    name=st.text(max_size=20) | st.sampled_from(["./a.jpg", "./", "/", "..", "", "\ud800", "-rf", "x\n", "a" * 9000])
)
def test_an_odd_name_of_an_image_is_not_found(tmp_path_factory, name):
    run = tmp_path_factory.mktemp("run")
    Path(run / "results").mkdir()
    with pytest.raises(InputError, match="no image"):
        trace_image(run, name)
