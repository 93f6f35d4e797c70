"""A change of the images in a folder is noticed, and what is no image is not."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.fetch.image_folders import list_images, listing_digest, pack_images, part_of_folder
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation import archives
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


def test_links_to_photographs_are_photographs_and_those_to_folders_are_named(folder: Path, tmp_path_factory, caplog):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "e.jpg").write_bytes(b"image")
    (folder / "trap/to_file.jpg").symlink_to(elsewhere / "e.jpg")
    (folder / "trap/to_folder").symlink_to(elsewhere)
    (folder / "trap/around").symlink_to(folder)
    (folder / ".hidden.jpg").symlink_to(elsewhere / "gone")
    assert list_images(folder) == ["a.jpg", "trap/b.png", "trap/to_file.jpg"]
    assert "links to folders are not followed: trap/around, trap/to_folder;" in caplog.text


def test_a_link_that_leads_nowhere_is_refused(folder: Path) -> None:
    (folder / "trap/c.jpg").symlink_to("../.git/annex/objects/c.jpg")
    with pytest.raises(InputError, match=r"1 links lead to no file: trap/c\.jpg; get their files"):
        list_images(folder)


@pytest.mark.parametrize("name", ["trap", "lost+found"])
def test_a_folder_that_cannot_be_read_is_refused_unless_it_is_of_the_system(folder: Path, name: str, monkeypatch):
    (folder / name).mkdir(exist_ok=True)
    list_folder = os.scandir  # root may read all folders, so that rights cannot be taken

    def refuse(path: str) -> object:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", path)
        return list_folder(path)

    monkeypatch.setattr(os, "scandir", refuse)
    if name == "trap":
        with pytest.raises(InputError, match=r"the folder trap cannot be read \(Permission denied\)"):
            list_images(folder)
    else:
        assert list_images(folder) == ["a.jpg", "trap/b.png"]


def test_a_file_that_is_far_too_large_for_a_photograph_takes_no_memory_and_is_named(folder: Path, monkeypatch):
    """As a slide of a scanner, of many gigabytes, among photographs."""
    monkeypatch.setattr(archives, "LARGEST_MEMBER_BYTES", 2**20)
    with (folder / "slide.czi").open("wb") as file:
        file.truncate(64 * 2**20)
    tracemalloc.start()
    pack_images(folder, list_images(folder), folder / "photographs.zip")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 8 * 2**20
    found = {member.image_file: data for member, data in archives.read_members(folder / "photographs.zip")}
    assert found["a.jpg"] == b"image"
    assert str(found["slide.czi"]) == "member of 67108864 bytes, more than 1048576"
