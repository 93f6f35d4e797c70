"""Keys of images: every path has its own, from which it comes back, and which HDF5, zip and TSV hold as it is."""

from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

import h5py
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan1m.foundation.archives import ZipWriter, list_members
from bioscan1m.foundation.image_keys import clean_path, common_folder, flatten_path, image_keys, path_of_key
from bioscan1m.foundation.image_names import is_photograph
from bioscan1m.foundation.tsv import as_tsv

# All that a path may have, with what is written in another way more often than by chance.
letters = st.characters(codec="utf-8", exclude_characters="/\0") | st.sampled_from("~%\\2F5C7Ee~%.\t\n \u0308")
parts = st.text(letters, min_size=1, max_size=6).filter(lambda part: part not in (".", ".."))
paths = st.lists(parts, min_size=1, max_size=4).map("/".join)


def alike(name: str) -> str:
    """What names have in common that are one file on Windows or macOS."""
    return unicodedata.normalize("NFC", name).casefold()


@given(paths)
def test_the_path_comes_back(path):
    assert path_of_key(flatten_path(path)) == path


@given(st.sets(paths, min_size=2, max_size=8))
def test_two_paths_have_two_keys(several):
    assert len({flatten_path(path) for path in several}) == len(several)


@given(paths, paths)
def test_keys_that_are_one_file_elsewhere_are_of_paths_that_are(one, other):
    if alike(flatten_path(one)) == alike(flatten_path(other)):
        assert alike(one) == alike(other)


@given(paths)
def test_a_key_is_one_file_name_of_printable_text_that_counts_as_a_photograph_if_its_path_does(path):
    key = flatten_path(path)
    assert clean_path(key) == key and not any(letter < " " or letter in "/\\\x7f" for letter in key)
    assert key not in (".", "..")
    assert is_photograph(key) or not is_photograph(path)


@pytest.mark.parametrize(
    "name", ["IMG_0001.JPG", "50%.jpg", "100%_a b.jpg", "K\u00e4fer (1).jpg", "a%zz.jpg", "x;y=1.jpg"]
)
def test_a_file_name_is_its_own_key(name):
    assert flatten_path(name) == name


@settings(max_examples=25)
@given(several=st.sets(paths.filter(is_photograph), min_size=1, max_size=5))
def test_published_readers_find_every_key(tmp_path_factory, several):
    """By h5py and its name in the group, by zip and the base name, by csv and a tab-separated cell."""
    keys = sorted(flatten_path(path) for path in several)
    folder = tmp_path_factory.getbasetemp()
    with h5py.File(folder / "keys.hdf5", "w") as file:
        group = file.create_group("bioscan_dataset")
        for key in keys:
            group[key] = 0
        assert set(group) == set(keys)
    with ZipWriter(folder / "keys.zip") as archive:
        for key in keys:
            archive.add(f"part1/{key}", b"")
    assert [member.image_file for member in list_members(folder / "keys.zip")] == keys
    table = as_tsv([[key] for key in keys])
    assert [row for (row,) in csv.reader(io.StringIO(table, newline=""), delimiter="\t")] == keys
    assert len(table.split("\n")) == len(keys) + 1


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("part1/a.jpg", "part1/a.jpg"),
        ("C:\\photographs\\ants\\a.jpg", "photographs/ants/a.jpg"),
        ("/etc/./a.jpg", "etc/a.jpg"),
        ("..\\../x//a.jpg", "x/a.jpg"),
        ("c:a.jpg", "c:a.jpg"),
    ],
)
def test_paths_of_zips_stay_below_the_zip(given, clean):
    assert clean_path(given) == clean


@pytest.mark.parametrize(
    ("files", "folder"),
    [
        (["part1/a.jpg", "part1/b.jpg"], "part1"),
        (["x/part1/a.jpg", "x/part2/b.jpg"], "x"),
        (["x/ab/1.jpg", "x/ac/1.jpg"], "x"),
        (["x/a/1.jpg", "x/1.jpg"], "x"),
        (["a.jpg", "x/b.jpg"], ""),
        (["a.jpg"], ""),
        ([], ""),
    ],
)
def test_the_folder_that_all_images_share(files, folder):
    assert common_folder(files) == folder


def test_keys_of_published_zips_are_file_names_and_the_shared_folder_is_no_part_of_others():
    published = ["part1/a.jpg", "part2/b.jpg"]
    assert image_keys(published, None) == ["a.jpg", "b.jpg"]
    assert image_keys(["part1/a.jpg", "part1/b.jpg"], ".") == ["a.jpg", "b.jpg"]
    assert image_keys(["m/Apidae/1.jpg", "m/Vespidae/1.jpg"], ".") == ["Apidae~1.jpg", "Vespidae~1.jpg"]
    assert image_keys(["m/1.jpg"], "2024/trap") == ["2024~trap~1.jpg"]


def test_the_case_of_two_folders_has_two_keys_by_path_alone():
    case = Path(__file__).parents[2] / "cases/two_folders.zip"
    assert [member.image_file for member in list_members(case, ".")] == ["train~a.jpg", "valid~a.jpg"]
    assert [member.duplicate for member in list_members(case)] == [False, True]
