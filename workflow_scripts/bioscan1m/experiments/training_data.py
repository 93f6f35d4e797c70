"""Images of one experiment as batches for training and evaluation, straight from the HDF5 package.

A JPEG is decoded at a reduced DCT scale to `short_side` pixels. Training takes a random crop and flips half of the
images, evaluation takes the central crop (paper, table 4). What is random is drawn by the sampler, for an epoch at a
time, so that neither the number of workers nor their order changes a result.
Pixels stay uint8 until they are on the device, which takes a quarter of the memory and of the traffic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from bioscan1m.device import memory_format
from bioscan1m.errors import InputError, UnreadableImage
from bioscan1m.experiments.data_parallel import ALONE, Group
from bioscan1m.images import decode, resize_shorter_side
from bioscan1m.memory import keep_freed_memory
from bioscan1m.package.packages import ImagePackage
from bioscan1m.progress import Progress
from bioscan1m.tables import read_parquet


class Channels(NamedTuple):
    """What a network is used to: mean and standard deviation of its RGB input, as shares of the largest pixel value."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


# Of the dataset, as published with its reader package.
DATASET_CHANNELS = Channels((0.7251, 0.7289, 0.7296), (0.1265, 0.1430, 0.1610))


@dataclass(frozen=True)
class LabelledImages:
    """The images of one role in the order of the metadata, with the index of each one's class."""

    image_files: list[str]
    labels: np.ndarray  # (images,) int64

    def __len__(self) -> int:
        return len(self.image_files)

    def share(self, group: Group) -> LabelledImages:
        """The images of one process where several evaluate together: a run of consecutive ones."""
        own = np.array_split(np.arange(len(self)), group.size)[group.rank]
        return LabelledImages([self.image_files[place] for place in own], self.labels[own])


# An image by its place in the LabelledImages, and where to crop it (as crop_and_flip wants it); None is in the centre.
Key = tuple[int, Sequence[float] | None]


class Batch(NamedTuple):
    """Images that could be read, and the (index, reason) of those that could not."""

    images: torch.Tensor  # (N, crop, crop, 3) uint8
    labels: np.ndarray  # (N,) int64
    indices: np.ndarray  # (N,) int64, places in the LabelledImages
    skipped: list[tuple[int, str]]


def read_split(path: str | Path) -> tuple[list[str], dict[str, LabelledImages]]:
    """The classes of an experiment (every label of its split, sorted) and its images by role.

    Raises InputError where the table has no images of one of the roles train, validation and test.
    """
    table = read_parquet(path, columns=["image_file", "label", "role"])
    classes = sorted(pc.unique(table["label"]).to_pylist())
    labels = pc.index_in(table["label"], value_set=pa.array(classes, pa.string())).to_numpy().astype(np.int64)
    images = {role: _of_role(table, labels, role) for role in ("train", "validation", "test")}
    if empty := [role for role, members in images.items() if not members]:
        raise InputError(
            f"{path}: no images with the role {' or '.join(empty)}; the experiment needs more images or other ratios "
            "(splits in the config)"
        )
    return classes, images


def _of_role(table: pa.Table, labels: np.ndarray, role: str) -> LabelledImages:
    chosen = pc.equal(table["role"], role)
    return LabelledImages(table["image_file"].filter(chosen).to_pylist(), labels[chosen.to_numpy()])


class PackageImages(Dataset):
    """Images of a package, cropped for the network.

    An item is (uint8 pixels (crop, crop, 3), label, index), or (index, reason) for an image that the package lacks or
    that cannot be decoded. With `cache_images` every image is decoded once, at the start, and kept at `short_side`.
    """

    def __init__(self, package: str | Path, images: LabelledImages, training: dict[str, Any]) -> None:
        """`training` is the config's."""
        if training["crop"] > training["short_side"]:
            raise InputError(
                f"classifier.training.crop: {training['crop']} pixels do not fit into short_side = "
                f"{training['short_side']}; make crop smaller or short_side larger"
            )
        self._package, self._images = ImagePackage(package), images
        # Where each image lies in the package, once that is known; what one worker finds out serves the others too.
        self._places = torch.zeros(len(images), 2, dtype=torch.int64).share_memory_()
        self._short_side, self._crop = training["short_side"], training["crop"]
        self._cache = self._decode_all() if training["cache_images"] else None

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, key: Key) -> tuple[np.ndarray, int, int] | tuple[int, str]:
        index, where = key
        image = self._decode(index) if self._cache is None else self._cache[index]
        if isinstance(image, UnreadableImage):
            return index, str(image)
        cropped = central_crop(image, self._crop) if where is None else crop_and_flip(image, self._crop, *where)
        return np.array(cropped), int(self._images.labels[index]), index

    def _decode(self, index: int) -> Image.Image | UnreadableImage:
        """The image with a shorter side of `short_side` pixels, or why there is none."""
        try:
            image = decode(self._read(index), self._short_side)
        except KeyError:
            return UnreadableImage("not in the package")
        except UnreadableImage as error:
            return error
        return resize_shorter_side(image, self._short_side)

    def _read(self, index: int) -> bytes:
        """The file of an image. Raises KeyError where the package lacks it."""
        image_file = self._images.image_files[index]
        if not self._places[index, 1]:
            self._places[index] = torch.tensor(self._package.place(image_file))
        offset, length = self._places[index].tolist()
        return self._package.at(offset, length) if length else self._package[image_file]

    def _decode_all(self) -> list[Image.Image | UnreadableImage]:
        progress, decoded = Progress("decoding", len(self)), []
        for index in range(len(self)):
            decoded.append(self._decode(index))
            progress.advance()
        return decoded


def central_crop(image: Image.Image, size: int) -> Image.Image:
    """The central square of `size` pixels."""
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))


def crop_and_flip(image: Image.Image, size: int, left: float, top: float, mirrored: float) -> Image.Image:
    """A square of `size` pixels whose place is a share of the room to its left and above it.

    It is mirrored left to right where `mirrored` is below a half. All three are at least 0 and less than 1.
    """
    x, y = int(left * (image.width - size + 1)), int(top * (image.height - size + 1))
    cropped = image.crop((x, y, x + size, y + size))
    return cropped.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored < 1 / 2 else cropped


class EpochBatches(Sampler[list[Key]]):
    """Batches of keys: shuffled and cropped at random by (seed, epoch), or in order and centrally without a seed.

    A batch comes in `passes` parts, one after the other, and of several processes each has its own parts of it. Parts
    are as equal as can be; those of a small last batch may be empty.
    """

    def __init__(self, images: int, batch_size: int, seed: int | None, passes: int = 1, group: Group = ALONE) -> None:
        self._images, self._batch_size, self._seed = images, batch_size, seed
        self._passes, self._group = passes, group
        self.epoch = 0

    def __len__(self) -> int:
        return math.ceil(self._images / self._batch_size) * self._passes

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


def load_batches(
    package: str | Path,
    images: LabelledImages,
    training: dict[str, Any],
    seed: int | None = None,
    group: Group = ALONE,
) -> DataLoader:
    """Batches of images as the config's `training` says, decoded by `training["workers"]` processes.

    With a seed they are for training: shuffled, cropped at random and flipped; set `batch_sampler.epoch` before each
    pass. Of a step of `training["batch_size"]` images a process has its share, in `training["accumulation"]` batches.
    Without, they are for evaluation: in order, cropped in the centre, as many at a time as in training.
    """
    shares = training["processes"] * training["accumulation"]
    if training["batch_size"] < shares:
        raise InputError(
            f"classifier.training.batch_size: {training['batch_size']} images are too few for {shares} parts "
            "(processes * accumulation)"
        )
    if seed is None:
        sampler = EpochBatches(len(images), math.ceil(training["batch_size"] / shares), None)
    else:
        sampler = EpochBatches(len(images), training["batch_size"], seed, training["accumulation"], group)
    return DataLoader(
        PackageImages(package, images, training),
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=training["workers"],
        persistent_workers=training["workers"] > 0,
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_start_worker,
        generator=torch.Generator(),  # a loader would otherwise draw from the generator that the network uses
    )


def _start_worker(_: int) -> None:
    keep_freed_memory()  # a batch is several megabytes


def collate(items: Sequence[tuple]) -> Batch:
    """Stack the readable items of a batch; the images tensor is (0,) where there is none.

    Only the images are a tensor: a worker sends each tensor through a file of its own in shared memory.
    """
    read = [item for item in items if len(item) == 3]
    skipped = [item for item in items if len(item) == 2]
    # stacked in the memory that a worker shares with the training process
    images = default_collate([pixels for pixels, _, _ in read]) if read else torch.empty(0, dtype=torch.uint8)
    labels, indices = (np.array([item[place] for item in read], np.int64) for place in (1, 2))
    return Batch(images, labels, indices, skipped)


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
