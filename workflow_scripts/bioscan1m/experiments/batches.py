"""Batches of an experiment's images for a network, decoded by several processes.

What is random is drawn for an epoch at a time, so that neither the number of processes nor their order changes a
result. Pixels stay uint8 until they are on the device, which takes a quarter of the memory and of the traffic.

The processes write them into memory that all share and that serves again and again, and one thread takes a copy of each
batch. A DataLoader by itself makes new files of shared memory for each batch, which costs half as much as decoding it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from bioscan1m.device import memory_format
from bioscan1m.errors import InputError, UnreadableImage
from bioscan1m.experiments.data_parallel import ALONE, Group
from bioscan1m.experiments.training_data import LabelledImages, PackageImages, Where
from bioscan1m.memory import shared_zeros
from bioscan1m.streams import ITEMS_PER_THREAD, map_in_order

BATCHES_PER_WORKER = 2  # asked of each ahead of time, as a DataLoader does by default


class Channels(NamedTuple):
    """What a network is used to: mean and standard deviation of its RGB input, as shares of the largest pixel value."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


# Of the dataset, as published with its reader package.
DATASET_CHANNELS = Channels((0.7251, 0.7289, 0.7296), (0.1265, 0.1430, 0.1610))

# An image by its place in the LabelledImages, and where to crop it.
Key = tuple[int, Where]


class Batch(NamedTuple):
    """Images that could be read, and the (index, reason) of those that could not."""

    images: torch.Tensor  # (N, crop, crop, 3) uint8
    labels: np.ndarray  # (N,) int64
    indices: np.ndarray  # (N,) int64, places in the LabelledImages
    skipped: list[tuple[int, str]]


class EpochBatches:
    """Batches of keys: shuffled and cropped at random by (seed, epoch), or in order and centrally without a seed.

    A batch comes in `passes` parts, one after the other, and of several processes each has its own parts of it. Parts
    are as equal as can be; those of a small last batch may be empty.
    """

    def __init__(self, images: int, batch_size: int, seed: int | None, passes: int = 1, group: Group = ALONE) -> None:
        self._images, self._batch_size, self._seed = images, batch_size, seed
        self._passes, self._group = passes, group
        self.epoch = 0

    def __iter__(self) -> Iterator[list[Key]]:
        order, draws = np.arange(self._images), None
        if self._seed is not None:
            random = np.random.default_rng((self._seed, self.epoch))
            random.shuffle(order)
            draws = random.random((self._images, 3), dtype=np.float32)
        first = self._group.rank * self._passes
        for start in range(0, self._images, self._batch_size):
            batch = order[start : start + self._batch_size]
            for part in np.array_split(batch, self._group.size * self._passes)[first : first + self._passes]:
                where = [None] * len(part) if draws is None else draws[part].tolist()
                yield list(zip(part.tolist(), where, strict=True))


class Batches:
    """Batches of images as the config's `training` says, decoded by `training["workers"]` processes.

    There can be many passes over them, but one at a time.

    With a seed they are for training: shuffled, cropped at random and flipped; set `order.epoch` before each pass. Of a
    step of `training["batch_size"]` images a process has its share, in `training["accumulation"]` batches. Without,
    they are for evaluation: in order, cropped in the centre, as many at a time as in training.
    """

    def __init__(
        self,
        package: str | Path,
        images: LabelledImages,
        training: dict[str, Any],
        seed: int | None = None,
        group: Group = ALONE,
    ) -> None:
        """Raises InputError where a step has too few images, or a crop too many pixels."""
        shares, workers = training["processes"] * training["accumulation"], training["workers"]
        if training["batch_size"] < shares:
            raise InputError(
                f"classifier.training.batch_size: {training['batch_size']} images are too few for {shares} parts "
                "(processes * accumulation)"
            )
        largest = math.ceil(training["batch_size"] / shares)
        if seed is None:
            self.order = EpochBatches(len(images), largest, None)
        else:
            self.order = EpochBatches(len(images), training["batch_size"], seed, training["accumulation"], group)
        self._labels = images.labels
        # While batch n is fetched, n - 1 and n are not copied yet, and BATCHES_PER_WORKER of each worker are under way.
        slots = workers * BATCHES_PER_WORKER + ITEMS_PER_THREAD
        self._pixels = shared_zeros((slots, largest, training["crop"], training["crop"], 3), np.uint8)
        self._loader = DataLoader(
            _Decoding(PackageImages(package, images, training), self._pixels),
            batch_size=None,
            sampler=_Requests(self.order, slots),
            collate_fn=_as_it_is,
            num_workers=workers,
            prefetch_factor=BATCHES_PER_WORKER if workers else None,
            persistent_workers=workers > 0,
            multiprocessing_context="fork" if workers else None,  # so that they share the memory
            generator=torch.Generator(),  # a loader would otherwise draw from the generator that the network uses
        )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """That of the images of a whole batch: (N, crop, crop, 3)."""
        return self._pixels.shape[1:]

    def __iter__(self) -> Iterator[Batch]:
        gpu = torch.cuda.current_device() if torch.cuda.is_available() else None  # another thread knows only the first

        def copied(decoded: _Decoded | InputError) -> Batch:
            if isinstance(decoded, InputError):
                raise decoded
            pixels = self._pixels[decoded.slot, : len(decoded.indices)]
            return Batch(_copy(pixels, gpu), self._labels[decoded.indices], decoded.indices, decoded.skipped)

        return map_in_order(copied, self._loader, threads=1)


class _Requests(Sampler[tuple[int, list[Key]]]):
    """The batches of an order, each with a slot for its pixels; the slots take turns."""

    def __init__(self, order: EpochBatches, slots: int) -> None:
        self._order, self._slots = order, slots

    def __iter__(self) -> Iterator[tuple[int, list[Key]]]:
        return ((number % self._slots, keys) for number, keys in enumerate(self._order))


class _Decoded(NamedTuple):
    """A batch whose pixels lie in a slot."""

    slot: int
    indices: np.ndarray  # (N,) int64, of those that could be read
    skipped: list[tuple[int, str]]


class _Decoding(Dataset):
    """What a worker does: decode the images of a batch into its slot."""

    def __init__(self, images: PackageImages, pixels: np.ndarray) -> None:
        self._images, self._pixels = images, pixels

    def __getitem__(self, request: tuple[int, list[Key]]) -> _Decoded | InputError:
        """The batch, or why there is none: torch would put an error that is raised here into a traceback."""
        try:
            return self._decode(*request)
        except InputError as error:
            return error

    def _decode(self, slot: int, keys: list[Key]) -> _Decoded:
        read, skipped = [], []
        for index, where in keys:
            image = self._images.cropped(index, where)
            if isinstance(image, UnreadableImage):
                skipped.append((index, str(image)))
            else:
                self._pixels[slot, len(read)] = image
                read.append(index)
        return _Decoded(slot, np.array(read, np.int64), skipped)


def _as_it_is(decoded: _Decoded | InputError) -> _Decoded | InputError:
    return decoded


def _copy(pixels: np.ndarray, gpu: int | None) -> torch.Tensor:
    """In memory of its own; for a GPU in pinned memory, which it fetches without this process."""
    if gpu is None:
        return torch.from_numpy(pixels.copy())  # torch's own copy would wake as many threads as there are cores
    with torch.cuda.device(gpu):
        return torch.from_numpy(pixels).pin_memory()


def to_network_input(images: torch.Tensor, device: torch.device, channels: Channels) -> torch.Tensor:
    """uint8 pixels (N, height, width, 3) as float32 (N, 3, height, width) on the device.

    Less each channel's mean, over its deviation.
    """
    images = images.to(device, non_blocking=True).permute(0, 3, 1, 2)
    mean, deviation = _on_device(channels, device)
    return images.float().sub_(mean).div_(deviation).contiguous(memory_format=memory_format(device))


@cache
def _on_device(channels: Channels, device: torch.device) -> list[torch.Tensor]:
    """Mean and deviation of pixel values from 0 to 255, (3, 1, 1) each; copied once, for a GPU is waited for then."""
    return [torch.tensor(part, device=device).view(3, 1, 1) * 255 for part in channels]
