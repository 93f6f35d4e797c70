"""Folders give the labels of their images; names and depths that do not fit are refused or listed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from bioscan1m.foundation.errors import InputError
from bioscan1m.plan.folder_labels import labels_of_folders, parse_levels
from bioscan1m.plan.own_images import ImageChunk, plan_chunks


def chunks_of(tmp_path: Path, kind: str, *names: str) -> list[ImageChunk]:
    """The chunk of a folder or a zip with these images."""
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "images.zip", "w") as file:
            for name in names:
                file.writestr(name, b"")
        return plan_chunks([tmp_path / "images.zip"], 100)
    for name in names:
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).write_bytes(b"")
    return plan_chunks([tmp_path / "images"], 100)


@pytest.mark.parametrize("text", ["family", "order/family/genus", "order/-/genus", " order / caste ", "drawer"])
def test_levels_that_are_allowed(text):
    assert parse_levels(text) == tuple(level.strip() for level in text.split("/"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty level"),
        ("-/-", "empty level"),
        ("order//family", "empty level"),
        ("family/family", "'family' is there twice"),
        ("family/order", "go from coarse to fine"),
        ("image_file", "'image_file' is another column"),
        ("sampleid", "'sampleid' is another column"),
        ("famliy", "'famliy' is no rank; write family"),
        ("Order", "'Order' is no rank; write order"),
    ],
)
def test_levels_that_are_told(text, told):
    with pytest.raises(InputError, match=told):
        parse_levels(text)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_every_level_is_a_column_but_the_one_without_labels(tmp_path, kind):
    chunks = chunks_of(
        tmp_path, kind, "Diptera/drawer 1/Culex/1.jpg", "Diptera/drawer 2/Aedes/1.jpg", "new/1.jpg", "1.jpg"
    )
    found = labels_of_folders(chunks, parse_levels("order/-/genus"))
    assert found.columns == ("order", "genus")
    assert found.cells == {
        "Diptera/drawer 1/Culex/1.jpg": {"order": "Diptera", "genus": "Culex"},
        "Diptera/drawer 2/Aedes/1.jpg": {"order": "Diptera", "genus": "Aedes"},
    }
    assert sorted(found.strays) == ["1.jpg", "new/1.jpg"]


@pytest.mark.parametrize(
    ("levels", "label"),
    [("family", {"family": "Apidae"}), ("order/family", {"order": "Hymenoptera", "family": "Apidae"})],
)
def test_folders_around_all_images_of_a_zip_are_levels_only_as_far_as_these_go(tmp_path, levels, label):
    chunks = chunks_of(tmp_path, "zip", "museum/Hymenoptera/Apidae/1.jpg", "museum/Hymenoptera/Apidae/2.jpg")
    assert list(labels_of_folders(chunks, parse_levels(levels)).cells.values()) == [label, label]


def test_images_of_which_none_lies_at_the_depth_are_told(tmp_path):
    chunks = chunks_of(tmp_path, "folder", "1.jpg", "2.jpg")
    with pytest.raises(InputError, match=r"family: no image lies in 1 folders: 1\.jpg, 2\.jpg; give the folder above"):
        labels_of_folders(chunks, ("family",))
