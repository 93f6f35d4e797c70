"""Random access to the images of an HDF5 package, for training and for digests.

The layout is the published one (paper, A1.1; loader of the released code): a group `bioscan_dataset` with one 1-D uint8
dataset of JPEG bytes per image, named by its image_file, and the copyright associations as attributes of the group.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import h5py
import numpy as np

from bioscan1m.foundation.errors import InputError

GROUP = "bioscan_dataset"
# HDF5 stores the names of a group in one block, of 32 MB for the 1.1 million images of BIOSCAN-1M. Where its cache (by
# default at most 32 MB) is too small for the block, it is read again for each image: 27 ms in place of 0.1 ms.
CACHE_BYTES = 2**27  # the most that HDF5 allows; as much of it is used as there are names


def keep_names_in_memory(file: h5py.File) -> None:
    """Enlarge HDF5's cache to the names of all images, for reading and for writing."""
    cache = file.id.get_mdc_config()
    cache.set_initial_size, cache.initial_size, cache.max_size = True, CACHE_BYTES, CACHE_BYTES
    file.id.set_mdc_config(cache)


class ImagePackage(Mapping[str, bytes]):
    """Read an HDF5 package as a mapping from image_file to JPEG bytes; names iterate in alphabetical order.

    The file is opened at the first access, once per process, so that a package can be pickled to or forked into the
    workers of a data loader. Raises InputError where the file is missing, damaged or no package, KeyError for an image
    that it does not hold.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._group: h5py.Group | None = None
        self._bytes: BinaryIO | None = None
        self._process: int | None = None

    def __getitem__(self, image_file: str) -> bytes:
        # h5py's low-level calls take half the time of group[image_file][()]
        with _naming_damage(self.path):
            dataset = h5py.h5d.open(self._open().id, image_file.encode())
            data = np.empty(dataset.shape, np.uint8)
            dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, data)
            return data.tobytes()

    def place(self, image_file: str) -> tuple[int, int]:
        """Offset and number of an image's bytes in the file; (0, 0) where they are not in one piece.

        Raises KeyError for an image that is not in the package.
        """
        with _naming_damage(self.path):
            dataset = h5py.h5d.open(self._open().id, image_file.encode())
            offset = dataset.get_offset()
            return (0, 0) if offset is None else (offset, dataset.get_storage_size())

    def at(self, offset: int, length: int) -> bytes:
        """The bytes at a place in the file, in a tenth of the time of an access by name."""
        self._open()
        return os.pread(cast(BinaryIO, self._bytes).fileno(), length, offset)

    def __contains__(self, image_file: object) -> bool:
        return image_file in self._open()

    def __iter__(self) -> Iterator[str]:
        with _naming_damage(self.path):
            for name in self._open():
                if isinstance(name, bytes):  # as h5py gives a name that is no text
                    raise InputError(f"{self.path}: damaged, it has the name {name!r}; remove it and make it again")
                yield name

    def __len__(self) -> int:
        with _naming_damage(self.path):
            return len(self._open())

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "_group": None, "_bytes": None, "_process": None}

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes of the group."""
        with _naming_damage(self.path):
            return dict(self._open().attrs)

    def _open(self) -> h5py.Group:
        if self._process != os.getpid():
            self._group, self._bytes = _open_group(self.path), self.path.open("rb", buffering=0)
            self._process = os.getpid()
        return self._group


def _open_group(path: Path) -> h5py.Group:
    if not path.is_file():
        raise InputError(f"{path}: no such package; make it first")
    try:
        file = h5py.File(path, "r", locking=False)  # locks fail on some cluster file systems; readers need none
    except OSError as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error}); remove it and make it again") from None
    with _naming_damage(path):
        group = file.get(GROUP)
    if not isinstance(group, h5py.Group):
        raise InputError(f"{path}: has no group {GROUP}, so it is not a package of images")
    keep_names_in_memory(file)
    return group


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    """An error of HDF5 in a file that it could open, with the name of the file."""
    try:
        yield
    except InputError:  # which is a ValueError, and names the file already
        raise
    except (RuntimeError, OSError, TypeError, ValueError, MemoryError) as error:  # which one depends on the damage
        raise InputError(f"{path}: a damaged HDF5 file ({error}); remove it and make it again") from None
