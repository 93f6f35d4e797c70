"""With equal file names in several folders, no image gets the row of another."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.name_matching import match_names, other_spellings

TWO = ["Apidae/IMG_1.JPG", "Formicidae/IMG_1.JPG"]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (TWO, {TWO[0]: TWO[0], TWO[1]: TWO[1]}),
        (TWO[1:], {TWO[1]: TWO[1]}),
        (["x/Apidae/IMG_1.JPG"], {TWO[0]: "x/Apidae/IMG_1.JPG"}),
        (["apidae/img_1.jpg", "formicidae/img_1.jpg"], {TWO[0]: "apidae/img_1.jpg", TWO[1]: "formicidae/img_1.jpg"}),
        (["Apidae/IMG_1", "Formicidae/IMG_1"], {TWO[0]: "Apidae/IMG_1", TWO[1]: "Formicidae/IMG_1"}),
        (["Apidae~IMG_1.JPG"], {TWO[0]: "Apidae~IMG_1.JPG"}),
        (["Apidae/IMG_1.JPG", "Vespidae/IMG_1.JPG"], {TWO[0]: "Apidae/IMG_1.JPG"}),
    ],
)
def test_rows_with_folders_go_to_the_image_there(rows, found):
    assert match_names("t", TWO, [(row, row) for row in rows]) == found


@pytest.mark.parametrize(
    ("images", "rows", "found"),
    [
        (["old/IMG_7.JPG"], ["new/IMG_7.JPG"], {"old/IMG_7.JPG": "new/IMG_7.JPG"}),
        (["x/images/IMG_7.JPG"], ["y/images/IMG_7.JPG"], {"x/images/IMG_7.JPG": "y/images/IMG_7.JPG"}),
        (["Apidae/IMG_7.JPG", TWO[1]], ["Formicidae/IMG_7.JPG", TWO[1]], {TWO[1]: TWO[1]}),
        (["Apidae/IMG_7.JPG", TWO[1]], ["C:/museum/formicidae/img_7.jpg", TWO[1]], {TWO[1]: TWO[1]}),
    ],
)
def test_a_row_from_another_folder_counts_only_where_no_image_is_in_that_folder(images, rows, found):
    """Cameras give the same names in every folder: the row of a missing image is not that of one elsewhere."""
    assert match_names("t", images, [(row, row) for row in rows]) == found


def test_an_image_without_folder_has_the_row_without_folder():
    images = ["IMG_1.JPG", "Apidae/IMG_1.JPG"]
    assert match_names("t", images, [(image, image) for image in reversed(images)]) == {
        image: image for image in images
    }


def test_a_name_without_folder_of_two_images_is_refused():
    with pytest.raises(InputError, match=r"'IMG_1\.JPG' is the name of two images, Apidae/IMG_1\.JPG and Formicidae"):
        match_names("t", TWO, [("IMG_1.JPG", 1)])
    with pytest.raises(InputError, match="no row names an image"):
        match_names("t", TWO, [("Vespidae/IMG_1.JPG", 1)])


paths = st.lists(st.sampled_from("abAB"), min_size=2, max_size=3).map("/".join)


@given(st.lists(paths, unique=True, min_size=1), st.lists(paths, unique=True))
def test_a_row_with_an_equal_path_is_never_given_to_another_image(images, rows):
    try:
        found = match_names("t", images, [(row, row) for row in rows])
    except InputError:
        return
    for image, row in found.items():
        assert row == image or (row not in images and image not in rows)


def test_other_spellings_are_those_of_names_that_are_no_ascii():
    assert other_spellings("a.jpg") == []
    assert "K\u00e4fer.jpg" in other_spellings("K\u03a3fer.jpg")


@pytest.mark.parametrize(
    ("images", "rows", "found"),
    [
        (["IMG_1.jpg", "IMG_1.png"], ["IMG_1.jpg", "IMG_1.tif"], ["IMG_1.jpg"]),
        (["IMG_1.jpg", "IMG_1.png"], ["IMG_1.tif", "IMG_1.jpg"], ["IMG_1.jpg"]),
        (["a/IMG_1.jpg", "b/IMG_1.jpg"], ["a/IMG_1.jpg", "IMG_1.JPG"], ["a/IMG_1.jpg"]),
        (["img.jpg", "IMG.jpg"], ["img.jpg", "Img.jpg"], ["img.jpg"]),
        (["a/1.jpg", "b/1.png"], ["a/1.jpg", "b/1.tif"], ["a/1.jpg", "b/1.png"]),
        (["1.jpg", "2.jpg"], ["1.jpg", "2.tif"], ["1.jpg", "2.jpg"]),
    ],
)
def test_a_row_of_which_another_image_could_be_the_owner_is_given_to_none(images, rows, found):
    assert list(match_names("t", images, [(row, row) for row in rows])) == found


def test_all_ambiguous_names_are_told_at_once_and_the_first_twenty_named():
    images = [f"{folder}/{number}.jpg" for number in range(25) for folder in "ab"]
    with pytest.raises(InputError, match=r"'0\.jpg' is the name of two .*'19\.jpg'.*; and 6 more$") as raised:
        match_names("t", [*images, "X.jpg"], [*((f"{number}.jpg", 0) for number in range(25)), ("x", 1), ("x.tif", 2)])
    assert "'20.jpg'" not in str(raised.value)


@pytest.mark.parametrize("row", ["{}/dorsal.jpg", "disk/photographs/{}/dorsal.JPG", "x/{}/dorsal.tif"])
def test_equal_file_names_in_many_folders_take_linear_time(row):
    folders = [f"specimen{number:05}" for number in range(20_000)]
    start = time.process_time()
    found = match_names("t", [f"{name}/dorsal.jpg" for name in folders], [(row.format(name), name) for name in folders])
    assert list(found.values()) == folders
    assert time.process_time() - start < 5


def test_equal_names_in_many_rows_take_linear_time_too():
    start = time.process_time()
    with pytest.raises(InputError, match=r"'dorsal\.jpg' is the name of two images, specimen0/dorsal\.jpg and"):
        match_names("t", [f"specimen{one}/dorsal.jpg" for one in range(20_000)], [("dorsal.jpg", 0)] * 20_000)
    assert time.process_time() - start < 5
