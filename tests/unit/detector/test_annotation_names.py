"""Names that label tools have changed lead back to the image; what could be two images is refused."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.detector.annotations import pair_with_members, read_annotations
from bioscan1m.detector.coco_files import GivenImage
from bioscan1m.detector.faults import Faults
from bioscan1m.detector.image_names import find_members, steps_of_label_tools
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.image_keys import clean_path
from bioscan1m.foundation.name_matching import match_names
from clean_annotations import clean_annotations

CASES = Path(__file__).parents[2] / "cases"
HASH = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"


def zip_of(folder: Path, *members: str) -> Path:
    with ZipWriter(folder / "images.zip") as archive:
        for name in members:
            archive.add(name, b"")
    return folder / "images.zip"


def members_of(archive: Path, *names: str, original: str | None = None) -> list[str]:
    """The members of images with these names in the annotations."""
    faults = Faults(archive.with_suffix(".json"))
    images = [GivenImage(clean_path(name), original, None, ()) for name in names]
    found = find_members(archive, images, faults)
    faults.refuse()
    return [member.name for member, _ in found]


def test_members_are_paired_in_the_order_of_the_zip(tmp_path, caplog):
    archive = zip_of(tmp_path, "part1/two.jpg", "part1/other.jpg", "fly.jpg", "empty.jpg")
    found = members_of(archive, "fly.jpg", "empty.jpg", "two.jpg")
    assert found == ["part1/two.jpg", "fly.jpg", "empty.jpg"]
    assert "1 images have no annotations and are left out: other.jpg" in caplog.text


def test_an_annotated_image_that_the_zip_lacks_is_named(tmp_path):
    with pytest.raises(InputError, match=r"images.zip lacks 2 annotated images: empty.jpg, two.jpg"):
        members_of(zip_of(tmp_path, "fly.jpg"), "fly.jpg", "empty.jpg", "two.jpg")


@pytest.mark.parametrize(
    ("names", "members", "paired"),
    [
        (["valid/a.jpg"], ["train/a.jpg", "valid/a.jpg"], ["valid/a.jpg"]),
        (["valid\\a.jpg", "train\\a.jpg"], ["train/a.jpg", "valid/a.jpg"], ["train/a.jpg", "valid/a.jpg"]),
        (["C:\\data\\set\\valid\\a.jpg"], ["set/train/a.jpg", "set/valid/a.jpg"], ["set/valid/a.jpg"]),
        (["./images/valid/a.jpg"], ["train/a.jpg", "valid/a.jpg"], ["valid/a.jpg"]),
        (["../../images/a.jpg"], ["images/a.jpg"], ["images/a.jpg"]),
        (["elsewhere/a.jpg"], ["images/a.jpg"], ["images/a.jpg"]),
        (["A.JPG"], ["images/a.jpg", "b.jpg"], ["images/a.jpg"]),
        (["valid~a.jpg"], ["train/a.jpg", "valid/a.jpg"], ["valid/a.jpg"]),
        (["0001", "0002"], ["images/0001.jpg", "images/0002.jpg"], ["images/0001.jpg", "images/0002.jpg"]),
        (["valid/Ka\u0308fer.jpg"], ["valid/K\u00e4fer.jpg", "train/K\u00e4fer.jpg"], ["valid/K\u00e4fer.jpg"]),
    ],
)
def test_an_annotation_goes_to_the_image_in_its_folder(tmp_path, names, members, paired):
    assert members_of(zip_of(tmp_path, *members), *names) == paired


@pytest.mark.parametrize(
    "name",
    [
        "images/1/3f2a1b4c-my_photo_1.jpg",
        "images\\3f2a1b4c-my_photo_1.jpg",
        "images/3f2a1b4c__my%20photo%20(1).jpg",
        "/data/upload/1/3f2a1b4c-my%20photo%20(1).jpg",
        "https://label.example/data/upload/1/3f2a1b4c-my_photo_1.jpg?token=1",
        "my-photo-1-_jpg.rf.0a1b2c3d4e5f.jpg",
        "valid/my-photo-1-_JPG.rf.0a1b2c3d4e5f.jpg",
        "my%20photo%20%281%29.jpg",
        "https://bucket.s3.example/wells/my%20photo%20%281%29.jpg?X-Amz-Signature=a%2Fb&X-Amz-Expires=60",
        "https://storage.example/o/wells%2Fmy%20photo%20(1).jpg?alt=media&token=1",
        "s3://bucket/wells/my photo (1).jpg",
        "gs://bucket/wells/my%20photo%20(1).jpg",
        "file:///home/me/my%20photo%20(1).jpg",
        "/data/local-files/?d=wells/my%20photo%20(1).jpg",
        "https://host.example/wells/my photo (1).jpg#top",
    ],
)
def test_names_of_label_tools_lead_back_to_the_image(tmp_path, name, caplog):
    caplog.set_level("INFO")
    archive = zip_of(tmp_path, "wells/other.jpg", "wells/my photo (1).jpg")
    assert members_of(archive, name) == ["wells/my photo (1).jpg"]
    assert "1 annotated images found by name" in caplog.text


def test_the_name_that_roboflow_keeps_is_used(tmp_path):
    archive = zip_of(tmp_path, "wells/a\u00e4o.jpg", "b.jpg")
    assert members_of(archive, "a-o_jpg.rf.12ab.jpg", original="a\u00e4o.jpg") == ["wells/a\u00e4o.jpg"]


def test_images_that_have_such_names_themselves_come_first(tmp_path):
    names = ["3f2a1b4c-a.jpg", "a_jpg.rf.12ab.jpg", "a%20b.jpg"]
    archive = zip_of(tmp_path, "a.jpg", "a b.jpg", *names)
    assert members_of(archive, *names) == names


@pytest.mark.parametrize("name", ["a.jpg", "images/1/3f2a1b4c-a.jpg", "3f2a1b4c-a.jpg"])
def test_a_name_of_two_images_or_in_no_folder_is_refused(tmp_path, name):
    archive = zip_of(tmp_path, "train/a.jpg", "valid/a.jpg")
    with pytest.raises(InputError, match=r"is the name of two images, train/a\.jpg and valid/a\.jpg"):
        members_of(archive, name)
    with pytest.raises(InputError, match=r"lacks 1 annotated images: test/a\.jpg"):
        members_of(archive, "test/a.jpg", "train/a.jpg")


def test_two_copies_of_one_image_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"two annotated images name the same image, a\.jpg"):
        members_of(zip_of(tmp_path, "a.jpg"), "a_jpg.rf.12ab.jpg", "a_jpg.rf.34cd.jpg")


PLAIN = st.text(string.ascii_letters + string.digits + " ()_-.+&%\u00e4\u00e9", min_size=1, max_size=12)
NAMES = st.lists(PLAIN.filter(lambda stem: stem.strip(" .") == stem), min_size=1, max_size=4, unique=True)
TOOLS = {
    "Label Studio": lambda name: "images/1/3f2a1b4c-" + re.sub(r"[^-.\w]", "", name.replace(" ", "_")),
    "Roboflow": lambda name: f"{re.sub(r'[^A-Za-z0-9_]+', '-', name[:-4])}_jpg.rf.{HASH}.jpg",
    "an address": lambda name: f"https://host.example/wells/{quote(name)}?X-Amz-Signature=a%2Fb",
    "Windows": lambda name: f"C:\\wells\\{name}",
}


@pytest.mark.parametrize("tool", TOOLS)
@given(stems=NAMES)
def test_changed_names_lead_back_or_are_refused(tool, stems):
    images = [f"{stem}.jpg" for stem in stems]
    rows = [(clean_path(TOOLS[tool](image)), image) for image in images]
    try:
        found = match_names("boxes.json", images, rows, further=steps_of_label_tools({}))
    except InputError as refusal:
        assert "name" in str(refusal)  # two names that the tool made one
        assert tool != "Windows" and len(images) > 1
    else:
        assert all(found[image] == image for image in found)
        changed = {row.casefold() for row, _ in rows}
        if len(changed) == len(images):
            assert found.keys() == set(images)


def test_the_case_of_two_folders_is_cleaned_with_the_size_of_the_right_image(tmp_path):
    cleaned, counts = tmp_path / "clean.json", tmp_path / "counts.tsv"
    clean_annotations(CASES / "two_folders.zip", CASES / "name_in_second_folder.json", cleaned, counts, "set")
    (image,) = json.loads(cleaned.read_text())["images"]
    assert image["file_name"] == "valid~a.jpg"
    ((member, again),) = pair_with_members(CASES / "two_folders.zip", read_annotations(cleaned))
    assert (member.name, again.boxes.tolist()) == ("valid/a.jpg", [[10, 20, 110, 100]])


def test_a_clean_file_whose_zip_lacks_an_image_is_named(tmp_path):
    cleaned, counts = tmp_path / "clean.json", tmp_path / "counts.tsv"
    clean_annotations(CASES / "two_folders.zip", CASES / "name_in_second_folder.json", cleaned, counts, "set")
    with pytest.raises(InputError, match=r"images\.zip: lacks 1 annotated images: valid~a\.jpg"):
        pair_with_members(zip_of(tmp_path, "a.jpg"), read_annotations(cleaned))
