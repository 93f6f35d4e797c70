"""The table of a folder is named by the folder, in any script, and a digest of its path."""

import re
from pathlib import Path

import pytest

from bioscan1m.foundation.errors import InputError
from bioscan1m.plan.new_photographs import PHOTOGRAPHS_PER_PART
from name_photographs import name_photographs


def make_folder(path: Path, photographs: int = 1) -> None:
    path.mkdir(parents=True)
    for number in range(photographs):
        (path / f"{number:05}.jpg").touch()


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("photographs", "photographs"),
        ("Käfer 2024", "Käfer_2024"),
        ("Ka\u0308fer", "Käfer"),  # as macOS writes it
        ("昆虫", "昆虫"),
        ("a$(b) 'c\" {d}: e", "a_b_c_d_e"),
        ("...", ""),
        ("x" * 200, "x" * 40),
    ],
)
def test_the_name_has_the_letters_of_the_folder(tmp_path: Path, folder: str, words: str) -> None:
    make_folder(tmp_path / folder)
    ((name, path),) = name_photographs(str(tmp_path / folder)).items()
    assert re.fullmatch(re.escape(f"{words}-" if words else "") + "[0-9a-f]{8}", name)
    assert Path(path) == (tmp_path / folder).resolve()


def test_two_folders_of_one_name_differ_and_one_folder_is_the_same_by_any_path(tmp_path, monkeypatch) -> None:
    for place in ("a/moths", "b/moths"):
        make_folder(tmp_path / place)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = (tmp_path / "a/moths", tmp_path / "b/moths", tmp_path / "link/moths", "~/a/moths")
    first, second, linked, at_home = (next(iter(name_photographs(str(path)))) for path in paths)
    assert first == linked == at_home != second


def test_a_zip_is_named_without_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "moths.zip").touch()
    make_folder(tmp_path / "moths.2024")
    names = [next(iter(name_photographs(str(tmp_path / name)))) for name in ("moths.zip", "moths.2024")]
    assert [name.rpartition("-")[0] for name in names] == ["moths", "moths_2024"]


@pytest.mark.parametrize("source", ["", "no such folder", "~/no such folder"])
def test_what_is_not_there_is_refused(source: str) -> None:
    with pytest.raises(InputError, match="make predict IMAGES=FOLDER"):
        name_photographs(source)


def test_a_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image in this folder"):
        name_photographs(str(tmp_path))


def test_a_large_folder_is_in_parts_that_what_comes_at_its_end_does_not_change(tmp_path: Path) -> None:
    make_folder(tmp_path / "moths", PHOTOGRAPHS_PER_PART)
    assert list(name_photographs(str(tmp_path / "moths")).values()) == [str(tmp_path / "moths")]
    for number in range(PHOTOGRAPHS_PER_PART, 2 * PHOTOGRAPHS_PER_PART + 1):
        (tmp_path / f"moths/{number:05}.jpg").touch()
    (folder,) = name_photographs(str(tmp_path / "moths")).values()
    assert folder == {"source": str(tmp_path / "moths"), "parts": ["10000.jpg", "20000.jpg"]}
