"""A split gives the images of each role, and a package their crops."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms.functional import center_crop
from toy_experiment import IMAGES, make_package, make_training

from bioscan1m.experiments.training_data import (
    PackageImages,
    central_crop,
    crop_and_flip,
    read_split,
)
from bioscan1m.foundation.errors import InputError


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> tuple:
    """A package and its split."""
    return make_package(tmp_path_factory.mktemp("toy"))


def test_a_split_gives_sorted_classes_and_images_by_role(toy):
    classes, images = read_split(toy[1])
    assert classes == sorted(IMAGES)
    assert sum(map(len, images.values())) == sum(IMAGES.values())
    for role in images.values():
        names = [classes[label] for label in role.labels]
        assert all(image_file.startswith(name) for image_file, name in zip(role.image_files, names, strict=True))


def test_a_role_without_images_is_an_error(tmp_path):
    table = pa.table({"image_file": ["a.jpg", "b.jpg"], "label": ["x", "y"], "role": ["train", "test"]})
    pq.write_table(table, tmp_path / "split.parquet")
    with pytest.raises(InputError, match="validation"):
        read_split(tmp_path / "split.parquet")


def test_a_class_that_only_the_test_has_is_a_class(tmp_path):
    columns = {"image_file": list("abcd"), "label": list("xyxz"), "role": ["train", "train", "validation", "test"]}
    pq.write_table(pa.table(columns), tmp_path / "split.parquet")
    classes, images = read_split(tmp_path / "split.parquet")
    assert classes == ["x", "y", "z"]
    assert images["test"].labels.tolist() == [2]


def numbered(height: int, width: int) -> Image.Image:
    """An image whose red is the row and whose green is the column."""
    rows, columns = np.mgrid[:height, :width].astype(np.uint8)
    return Image.fromarray(np.stack([rows, columns, rows], axis=2))


SHARES = st.tuples(*[st.floats(0, 1, exclude_max=True)] * 3)


@given(st.integers(8, 40), st.integers(8, 40), st.integers(1, 8), SHARES)
def test_crops_are_squares_from_inside_the_image(height, width, size, shares):
    image = numbered(height, width)
    cropped = np.asarray(crop_and_flip(image, size, *shares)).astype(int)
    assert cropped.shape == np.asarray(central_crop(image, size)).shape == (size, size, 3)
    rows, columns, _ = np.moveaxis(cropped, 2, 0)
    assert np.array_equal(rows, rows[:1, :1] + np.arange(size)[:, None] + 0 * columns)
    steps = np.diff(columns, axis=1)
    assert (steps == 1).all() or (steps == -1).all()
    assert rows.max() < height and columns.max() < width


def test_the_central_crop_is_central():
    image = numbered(9, 7)
    assert np.array_equal(np.asarray(central_crop(image, 5)), np.asarray(image)[2:7, 1:6])


@given(st.integers(8, 60), st.integers(8, 60), st.integers(1, 8))
def test_the_central_crop_is_that_of_torchvision(height, width, size):
    image = numbered(height, width)
    assert central_crop(image, size).tobytes() == center_crop(image, size).tobytes()


def test_a_crop_larger_than_the_image_is_an_error(toy):
    with pytest.raises(InputError, match="short_side = 36"):
        PackageImages(toy[0], read_split(toy[1])[1]["train"], make_training(crop=40))
