"""Batches of an experiment's images for a network, decoded by several processes.

Pixels stay uint8 until they are on the device, which takes a quarter of the memory and of the traffic. The processes
write them into memory that all share and that is used again and again, and one thread copies each batch. A DataLoader
by itself makes new files of shared memory for each batch, which costs half as much as decoding it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from bioscan1m.experiments.batch_order import EpochBatches, Key
from bioscan1m.experiments.process_group import ALONE, Group
from bioscan1m.experiments.settings import BatchSettings
from bioscan1m.experiments.shared_arrays import shared_zeros
from bioscan1m.experiments.training_data import LabelledImages, PackageImages
from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.streams import ITEMS_PER_THREAD, map_in_order
from bioscan1m.networks.training_state import ignore_signals_of_the_end

BATCHES_PER_WORKER = 2  # asked of each ahead of time, as a DataLoader does by default


class Batch(NamedTuple):
    """Images that could be read, and the (index, reason) of those that could not."""

    images: torch.Tensor  # (N, crop, crop, 3) uint8
    labels: np.ndarray  # (N,) int64
    indices: np.ndarray  # (N,) int64, places in the LabelledImages
    skipped: list[tuple[int, str]]


class Batches:
    """Batches of images of a package, decoded by worker processes; they can be passed over again, one at a time.

    With a seed they are for training: shuffled, cropped at random and flipped; set `order.epoch` before each pass. Of a
    step a process has its share, in as many batches as the step has passes. Without a seed they are for evaluation: in
    order, cropped in the centre, as many at a time as in a pass of training.
    """

    def __init__(
        self,
        package: str | Path,
        images: LabelledImages,
        settings: BatchSettings,
        seed: int | None = None,
        group: Group = ALONE,
    ) -> None:
        """Start with the first epoch's order; workers start with the first pass.

        Args:
            package: the HDF5 file.
            images: those of one role.
            settings: size of the batches, pixels, and workers.
            seed: that of the training; None for an evaluation.
            group: the processes that share each step of a training.

        Raises:
            InputError: a step has too few images, a crop too many pixels, or the package cannot be opened.
        """
        if settings.batch_size < settings.parts:
            raise InputError(
                f"classifier.training.batch_size: {settings.batch_size} images are too few for {settings.parts} parts "
                "(processes * accumulation)"
            )
        self.images, self.shape = images, settings.pass_shape
        if seed is None:
            self.order = EpochBatches(len(images), self.shape[0], seed=None)
        else:
            self.order = EpochBatches(
                images=len(images),
                batch_size=settings.batch_size,
                seed=seed,
                passes=settings.accumulation,
                group=group,
            )
        # While batch n is fetched, n - 1 and n are not copied yet, and BATCHES_PER_WORKER of each worker are under way.
        slots = settings.workers * BATCHES_PER_WORKER + ITEMS_PER_THREAD
        self._pixels = shared_zeros((slots, *self.shape), np.uint8)
        decoding = _Decoding(PackageImages(package, images, settings), self._pixels)
        self._loader = _loader(decoding, _Requests(self.order, slots), settings.workers)

    def __iter__(self) -> Iterator[Batch]:
        gpu = torch.cuda.current_device() if torch.cuda.is_available() else None  # another thread knows only the first

        def copied(decoded: _Decoded | InputError) -> Batch:
            if isinstance(decoded, InputError):
                raise decoded
            pixels = self._pixels[decoded.slot, : len(decoded.indices)]
            return Batch(_copy(pixels, gpu), self.images.labels[decoded.indices], decoded.indices, decoded.skipped)

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
    """Decodes the images of a batch into its slot, in a worker."""

    def __init__(self, images: PackageImages, pixels: np.ndarray) -> None:
        self._images, self._pixels = images, pixels

    def __getitem__(self, request: tuple[int, list[Key]]) -> _Decoded | InputError:
        """The batch, or why there is none: torch would put an error that is raised here into a traceback."""
        try:
            return self._decode(*request)
        except InputError as error:
            return error

    def _decode(self, slot: int, keys: list[Key]) -> _Decoded:
        read: list[int] = []
        skipped = []
        for index, where in keys:
            image = self._images.cropped(index, where)
            if isinstance(image, UnreadableImage):
                skipped.append((index, str(image)))
            else:
                self._pixels[slot, len(read)] = image
                read.append(index)
        return _Decoded(slot, np.array(read, np.int64), skipped)


def _loader(decoding: _Decoding, requests: _Requests, workers: int) -> DataLoader:
    """A loader whose workers stay from pass to pass."""
    return DataLoader(
        decoding,
        batch_size=None,
        sampler=requests,
        collate_fn=_as_it_is,
        num_workers=workers,
        prefetch_factor=BATCHES_PER_WORKER if workers else None,
        persistent_workers=workers > 0,
        worker_init_fn=_outlast_the_signals,
        multiprocessing_context="fork" if workers else None,  # so that they share the memory
        generator=torch.Generator(),  # a loader would otherwise draw from the generator that the network uses
    )


def _outlast_the_signals(_: int) -> None:
    """A scheduler sends them to all processes of a job; this one ends with the process that it decodes for."""
    ignore_signals_of_the_end()


def _as_it_is(decoded: Any) -> Any:
    return decoded


def _copy(pixels: np.ndarray, gpu: int | None) -> torch.Tensor:
    """In separate memory; for a GPU in pinned memory, which it fetches without this process."""
    if gpu is None:
        return torch.from_numpy(pixels.copy())  # torch's own copy would wake as many threads as there are cores
    with torch.cuda.device(gpu):
        return torch.from_numpy(pixels).pin_memory()
