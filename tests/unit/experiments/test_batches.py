"""What the network sees depends on seed, epoch and image alone, and what cannot be read is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_experiment import make_package, make_training

from bioscan1m.experiments.batch_order import EpochBatches
from bioscan1m.experiments.batches import Batches
from bioscan1m.experiments.network_input import to_network_input
from bioscan1m.experiments.training_data import read_split
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.channels import Channels


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> tuple:
    """A package and its split."""
    return make_package(tmp_path_factory.mktemp("toy"))


def make_batches(toy: tuple, seed: int | None, **changed: object) -> Batches:
    """Of the training images."""
    return Batches(toy[0], read_split(toy[1])[1]["train"], make_training(**changed), seed)


def batches_of(toy: tuple, seed: int | None, epoch: int, **changed: object) -> list:
    """All batches of one pass over the training images."""
    batches = make_batches(toy, seed, **changed)
    batches.order.epoch = epoch
    return list(batches)


def assert_same(batches: list, others: list) -> None:
    """Same images in the same order with the same pixels."""
    for batch, other in zip(batches, others, strict=True):
        assert torch.equal(batch.images, other.images)
        assert np.array_equal(batch.indices, other.indices)


@pytest.mark.parametrize("changed", [{"workers": 2}, {"cache_images": True}])
def test_neither_workers_nor_cache_change_a_pixel(toy, changed):
    assert_same(batches_of(toy, 1, 3), batches_of(toy, 1, 3, **changed))


def test_a_batch_stays_as_it_is_while_others_are_decoded(toy):
    """Also where a pass was left in the middle."""
    batches = make_batches(toy, 1, batch_size=1, workers=2)
    next(iter(batches))
    for epoch in (1, 2):
        batches.order.epoch = epoch
        kept = list(batches)
        assert len(kept) > 20
        assert_same(kept, batches_of(toy, 1, epoch, batch_size=1))


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
    assert len(list(sampler)) == 6


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


def test_a_package_that_cannot_be_opened_is_named_before_there_are_workers(toy, tmp_path):
    (tmp_path / "package.hdf5").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"package\.hdf5: not a readable HDF5 file"):
        make_batches((tmp_path / "package.hdf5", toy[1]), 1, workers=2)


@pytest.mark.parametrize(("replaced", "reason"), [(False, "no such package"), (True, "not a readable HDF5 file")])
def test_what_a_worker_finds_wrong_is_told_as_one_line_that_begins_with_the_file(tmp_path, replaced, reason):
    """The package changes after this process has opened it, and before the workers do."""
    toy = make_package(tmp_path)
    batches = make_batches(toy, 1, workers=2)
    toy[0].rename(tmp_path / "elsewhere.hdf5")
    if replaced:
        toy[0].write_bytes(b"something else")
    with pytest.raises(InputError) as raised:
        list(batches)
    assert str(raised.value).startswith(f"{toy[0]}: {reason}") and "\n" not in str(raised.value)


def test_channels_are_normalised_with_their_mean_and_deviation():
    images = torch.randint(0, 256, (2, 4, 5, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    channels = Channels((0.7, 0.5, 0), (0.1, 0.2, 1))
    normalised = to_network_input(images, torch.device("cpu"), channels)
    mean, deviation = (torch.tensor(part).view(3, 1, 1) for part in channels)
    expected = (images.permute(0, 3, 1, 2) / 255 - mean) / deviation
    torch.testing.assert_close(normalised, expected)
