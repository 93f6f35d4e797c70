"""A change of the images in a folder is noticed, and what is no image is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.fetch.image_folders import list_images, listing_digest, part_of_folder
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation.archives import list_members
from bioscan1m.foundation.errors import InputError
from bioscan1m.plan.new_photographs import photographs_to_predict


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trap").mkdir()
    for name in ("a.jpg", "trap/b.png"):
        (tmp_path / name).write_bytes(b"image")
    return tmp_path


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "c.jpg").write_bytes(b"new"),
        lambda folder: (folder / "a.jpg").write_bytes(b"another image"),
        lambda folder: (folder / "trap/b.png").unlink(),
        lambda folder: (folder / "a.jpg").rename(folder / "d.jpg"),
    ],
    ids=["new", "changed", "removed", "renamed"],
)
def test_every_change_of_an_image_gives_another_digest(folder: Path, change: Callable[[Path], object]) -> None:
    before = listing_digest(folder)
    (folder / "notes.txt").write_text("no image")
    assert listing_digest(folder) == before
    change(folder)
    assert listing_digest(folder) != before


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image in this folder"):
        listing_digest(tmp_path)


@pytest.mark.parametrize("other", ["trap\\b.png", "C:\\a.jpg", "..\\trap\\b.png"])
def test_two_files_with_one_path_are_refused(folder: Path, other: str) -> None:
    (folder / other).write_bytes(b"another")
    with pytest.raises(InputError, match=r"1 images have the path of another.*; rename one of each"):
        listing_digest(folder)


def test_a_backslash_alone_ends_the_name_of_a_folder(folder: Path) -> None:
    (folder / "trap\\c.png").write_bytes(b"another")
    assert "trap\\c.png" in list_images(folder)


NAMES = ["a.jpg", "a/b.jpg", "a/c/d.jpg", "b.jpg", "ä.jpg", "z/ß.png", "昆.tif"]


@given(parts=st.lists(st.sampled_from([*NAMES, "a/", "c", "y"]), min_size=1, unique=True).map(sorted))
def test_each_image_of_a_folder_is_in_one_of_its_parts(tmp_path_factory: pytest.TempPathFactory, parts) -> None:
    folder = tmp_path_factory.mktemp("folder")
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    sources = photographs_to_predict({"mine": {"source": str(folder), "parts": parts}})
    assert list(sources) == [f"mine/part{number}" for number in range(1, len(parts) + 2)]
    found: list[str] = []
    for source in sources.values():
        try:
            found += list_images(folder, source["first"], source["before"])
        except InputError as error:
            assert "correct the parts of this folder in the config" in str(error)
    assert found == sorted(NAMES)


def test_an_image_of_a_part_has_the_key_that_it_has_in_the_whole_folder(folder: Path, tmp_path: Path) -> None:
    (folder / "trap/deep").mkdir()
    (folder / "trap/deep/c.png").write_bytes(b"image")
    keys = {}
    for name, source in photographs_to_predict({"mine": {"source": str(folder), "parts": ["b", "trap/d"]}}).items():
        part = part_of_folder(source)
        zipped = tmp_path / f"{name.rpartition('/')[2]}.zip"
        fetch(str(folder), zipped, attempts=1, timeout=1, key_folder=source["key_folder"], part_of_folder=part)
        keys[name] = [member.image_file for member in list_members(zipped)]
    assert keys == {"mine/part1": ["a.jpg"], "mine/part2": ["trap~b.png"], "mine/part3": ["trap~deep~c.png"]}


def test_a_zip_has_no_parts(tmp_path: Path) -> None:
    (tmp_path / "a.zip").touch()
    with pytest.raises(InputError, match="only a folder has parts"):
        fetch(str(tmp_path / "a.zip"), tmp_path / "b.zip", attempts=1, timeout=1, part_of_folder={"first": "a"})
