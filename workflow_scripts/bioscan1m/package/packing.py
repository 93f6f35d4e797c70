"""Pack the images of many shards into one HDF5 or one zip.

Images come in the order of the shards and their bytes are never touched. The HDF5 has the published layout
(packages.py); members of a zip keep the names that they have in the shards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from bioscan1m.archives import ZipWriter, list_members, read_members
from bioscan1m.atomic import write_aside
from bioscan1m.errors import InputError, UnreadableImage
from bioscan1m.package.packages import GROUP, keep_names_in_memory
from bioscan1m.progress import Progress
from bioscan1m.provenance.recipe import recipe_of_job

# The file format, whatever HDF5 writes by default: the same bytes everywhere, and old readers can open it.
FORMAT = ("earliest", "v110")


def pack_hdf5(shards: Sequence[str | Path], package: str | Path, attributes: Mapping[str, str]) -> dict[str, int]:
    """Write the images of all shards, in their order, as one HDF5 package; return the counts of images in and out.

    `attributes` are named as in the config (`copyright_holder`) and stored as published (`Copyright Holder`). Raises
    InputError for an image_file that two shards hold, a damaged shard, or no image at all.
    """
    progress = Progress(Path(package).name, _count_images(shards))
    with write_aside(package) as part, h5py.File(part, "w", libver=FORMAT) as file:
        keep_names_in_memory(file)
        group = file.create_group(GROUP)
        for name, value in attributes.items():
            group.attrs[name.replace("_", " ").title()] = value
        images = _Images(group)
        for _, image_file, data in _read_shards(shards):
            images.add(image_file, data)
            progress.advance()
        packed = len(group)
        file.attrs.update(recipe_of_job())
    return {"in": packed, "out": packed}


def pack_zip(shards: Sequence[str | Path], package: str | Path) -> dict[str, int]:
    """Write the members of all zips, in their order and by their names, to one zip; return the counts in and out.

    Raises InputError for an image_file that two zips hold, a damaged zip, or no image at all.
    """
    images = _count_images(shards)
    progress = Progress(Path(package).name, images)
    with ZipWriter(package) as archive:
        for name, _, data in _read_shards(shards):
            archive.add(name, data)
            progress.advance()
    return {"in": images, "out": images}


def _count_images(shards: Sequence[str | Path]) -> int:
    """The number of images, each in one shard only; checked first, because writing a package takes hours."""
    shard_of: dict[str, str | Path] = {}
    for shard in shards:
        for member in list_members(shard):
            if member.image_file in shard_of:
                raise InputError(
                    f"{member.image_file} is in both {shard_of[member.image_file]} and {shard}: image names must be "
                    "unique over all chunks. Rename one of the two images or take one chunk out of the manifest."
                )
            shard_of[member.image_file] = shard
    if not shard_of:
        raise InputError(f"no image in {', '.join(map(str, shards)) or 'no shard'}: there is nothing to pack")
    return len(shard_of)


def _read_shards(shards: Sequence[str | Path]) -> Iterator[tuple[str, str, bytes]]:
    """Name, image_file and bytes of each member, in order."""
    for shard in shards:
        for member, data in read_members(shard):
            if isinstance(data, UnreadableImage):
                raise InputError(f"{shard}: {member.name}: {data}. Remove this file and run again to make it anew.")
            yield member.name, member.image_file, data


class _Images:
    """The images of a group, written by h5py's low-level calls at about twice the rate of `create_dataset`."""

    def __init__(self, group: h5py.Group) -> None:
        self._group = group.id
        self._creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        self._creation.set_obj_track_times(False)  # else the clock gets into the file
        self._creation.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        self._space = h5py.h5s.create_simple((0,))  # resized for each image: to make another takes 5 us

    def add(self, image_file: str, data: bytes) -> None:
        """One 1-D uint8 dataset."""
        self._space.set_extent_simple((len(data),))
        dataset = h5py.h5d.create(self._group, image_file.encode(), h5py.h5t.STD_U8LE, self._space, self._creation)
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.frombuffer(data, np.uint8), h5py.h5t.NATIVE_UINT8)
