"""The images of one experiment, straight from the HDF5 package, as a network wants them.

A JPEG is decoded at a reduced DCT scale to `short_side` pixels. Training takes a random crop and flips half of the
images, evaluation takes the central crop (paper, table 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from bioscan1m.experiments.process_group import Group
from bioscan1m.experiments.settings import BatchSettings
from bioscan1m.experiments.shared_arrays import shared_zeros
from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.images import decode, resize_shorter_side
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.package.images import ImagePackage


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


# Where to crop an image, as crop_and_flip wants it; None is in the centre.
Where = Sequence[float] | None


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


class PackageImages:
    """Images of a package, cropped for the network.

    With `cache_images` every image is decoded once, at the start, and stays in memory at `short_side`.
    """

    def __init__(self, package: str | Path, images: LabelledImages, settings: BatchSettings) -> None:
        """Open the package, and with `cache_images` decode all images.

        Args:
            package: the HDF5 file.
            images: those of one role.
            settings: short_side and crop in pixels, and cache_images.

        Raises:
            InputError: the crop is larger than the images, or the package cannot be opened.
        """
        if settings.crop > settings.short_side:
            raise InputError(
                f"classifier.training.crop: {settings.crop} pixels do not fit into short_side = "
                f"{settings.short_side}; make crop smaller or short_side larger"
            )
        self._package, self._images = ImagePackage(package), images
        len(self._package)  # one that cannot be opened is an error here, and not in a worker
        # Where each image lies in the package, once that is known; what one worker finds out serves the others too.
        self._places = shared_zeros((len(images), 2), np.int64)
        self._short_side, self._crop = settings.short_side, settings.crop
        self._cache = self._decode_all() if settings.cache_images else None

    def cropped(self, index: int, where: Where) -> Image.Image | UnreadableImage:
        """A square of `crop` pixels of an image, by its place in the LabelledImages; or why there is none."""
        image = self._decode(index) if self._cache is None else self._cache[index]
        if isinstance(image, UnreadableImage):
            return image
        return central_crop(image, self._crop) if where is None else crop_and_flip(image, self._crop, *where)

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
            self._places[index] = self._package.place(image_file)
        offset, length = self._places[index].tolist()
        return self._package.at(offset, length) if length else self._package[image_file]

    def _decode_all(self) -> list[Image.Image | UnreadableImage]:
        progress, decoded = Progress("decoding", len(self._images)), []
        for index in range(len(self._images)):
            decoded.append(self._decode(index))
            progress.advance()
        return decoded


def central_crop(image: Image.Image, size: int) -> Image.Image:
    """The central square of `size` pixels, rounded as by torchvision."""
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def crop_and_flip(image: Image.Image, size: int, left: float, top: float, mirrored: float) -> Image.Image:
    """Crop a square, and mirror it left to right or not.

    Args:
        image: at least as large as the square.
        size: of the square, in pixels.
        left: the share of the room beside the square that is left of it, at least 0 and less than 1.
        top: the same above it.
        mirrored: at least 0 and less than 1; the square is mirrored below a half.

    Returns:
        The square.
    """
    x, y = int(left * (image.width - size + 1)), int(top * (image.height - size + 1))
    cropped = image.crop((x, y, x + size, y + size))
    return cropped.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored < 1 / 2 else cropped
