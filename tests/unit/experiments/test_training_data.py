"""What the network sees depends on seed, epoch and image alone, and what cannot be read is named."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from toy_experiment import IMAGES, TRAINING, make_package

from bioscan1m.errors import InputError
from bioscan1m.experiments.training_data import (
    DATASET_CHANNELS,
    EpochBatches,
    PackageImages,
    central_crop,
    crop_and_flip,
    load_batches,
    read_split,
    to_network_input,
)


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


def batches_of(toy: tuple, seed: int | None, epoch: int, **changed: object) -> list:
    """All batches of one pass over the training images."""
    loader = load_batches(toy[0], read_split(toy[1])[1]["train"], {**TRAINING, **changed}, seed)
    loader.batch_sampler.epoch = epoch
    return list(loader)


def assert_same(batches: list, others: list) -> None:
    """Same images in the same order with the same pixels."""
    for batch, other in zip(batches, others, strict=True):
        assert torch.equal(batch.images, other.images)
        assert np.array_equal(batch.indices, other.indices)


@pytest.mark.parametrize("changed", [{"workers": 2}, {"cache_images": True}])
def test_neither_workers_nor_cache_change_a_pixel(toy, changed):
    assert_same(batches_of(toy, 1, 3), batches_of(toy, 1, 3, **changed))


def test_seed_and_epoch_decide_order_and_crops(toy):
    first = batches_of(toy, 1, 1)
    assert_same(first, batches_of(toy, 1, 1))
    for seed, epoch in ((2, 1), (1, 2)):
        assert not torch.equal(first[0].images, batches_of(toy, seed, epoch)[0].images)


def test_evaluation_keeps_the_order_and_ignores_the_epoch(toy):
    batches = batches_of(toy, None, 1)
    assert np.concatenate([batch.indices for batch in batches]).tolist() == list(
        range(len(read_split(toy[1])[1]["train"]))
    )
    assert_same(batches, batches_of(toy, None, 2))


def test_an_epoch_has_every_image_once():
    sampler = EpochBatches(images=21, batch_size=4, seed=3)
    keys = [key for batch in sampler for key in batch]
    assert sorted(index for index, _ in keys) == list(range(21))
    assert all(0 <= share < 1 for _, shares in keys for share in shares) and len({*map(str, keys)}) == 21
    assert len(sampler) == len(list(sampler)) == 6


def test_images_that_cannot_be_read_are_skipped_with_a_reason(tmp_path):
    toy = make_package(tmp_path, missing=1, damaged=2)
    batches = batches_of(toy, 1, 1)
    skipped = dict(pair for batch in batches for pair in batch.skipped)
    assert skipped[0] == "not in the package"
    assert all("not an image" in skipped[index] for index in (1, 2))
    used = {index for batch in batches for index in batch.indices.tolist()}
    assert len(used) + len(skipped) == len(read_split(toy[1])[1]["train"])
    assert not used & set(skipped)


def test_a_batch_without_readable_images_is_empty(tmp_path):
    toy = make_package(tmp_path, missing=5)
    first = batches_of(toy, None, 1, batch_size=2)[0]
    assert len(first.labels) == len(first.images) == 0
    assert len(first.skipped) == 2


def test_a_crop_larger_than_the_image_is_an_error(toy):
    with pytest.raises(InputError, match="short_side = 36"):
        PackageImages(toy[0], read_split(toy[1])[1]["train"], {**TRAINING, "crop": 40})


def test_channels_are_normalised_with_the_published_figures():
    images = torch.randint(0, 256, (2, 4, 5, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    normalised = to_network_input(images, torch.device("cpu"), DATASET_CHANNELS)
    mean, deviation = (torch.tensor(part).view(3, 1, 1) for part in DATASET_CHANNELS)
    expected = (images.permute(0, 3, 1, 2) / 255 - mean) / deviation
    torch.testing.assert_close(normalised, expected)
