"""A change of the images in a folder is noticed, and what is no image is not."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bioscan1m.fetch.image_folders import list_images, listing_digest
from bioscan1m.foundation.errors import InputError


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


def test_a_folder_that_cannot_be_read_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def scandir(place: str | Path) -> object:  # root, who may run the tests, reads any folder
        if Path(place).name in ("trap", "lost+found"):
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return scan(place)

    monkeypatch.setattr(os, "scandir", scandir)
    (folder / "lost+found").mkdir()
    with pytest.raises(InputError, match=r"trap: cannot be read \(Permission denied\)"):
        list_images(folder)
    (folder / "trap").rename(folder / "well")
    assert list_images(folder) == ["a.jpg", "well/b.png"]


def test_a_link_to_a_folder_is_named_and_not_followed(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "round").symlink_to(tmp_path)
    assert list_images(folder) == ["a.jpg", "trap/b.png"]
    assert f"1 links to folders are not followed: {folder}/round" in caplog.text


@pytest.mark.parametrize("other", ["trap\\b.png", "C:\\a.jpg", "..\\trap\\b.png"])
def test_two_files_with_one_path_are_refused(folder: Path, other: str) -> None:
    (folder / other).write_bytes(b"another")
    with pytest.raises(InputError, match=r"1 images have the path of another.*; rename one of each"):
        listing_digest(folder)


def test_a_backslash_alone_ends_the_name_of_a_folder(folder: Path) -> None:
    (folder / "trap\\c.png").write_bytes(b"another")
    assert "trap\\c.png" in list_images(folder)
