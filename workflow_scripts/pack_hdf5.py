"""Pack the resized images of all chunks into one HDF5 file, in the published layout.

Images come in the order of the shards and their bytes are never touched.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from bioscan1m.foundation.atomic import write_aside
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.recipe_hook import recipe_of_job
from bioscan1m.foundation.scratch import staged
from bioscan1m.jobs.context import job
from bioscan1m.package.images import GROUP, keep_names_in_memory
from bioscan1m.package.shards import count_images, read_shards

# The file format, whatever HDF5 writes by default: the same bytes everywhere, and old readers can open it.
FORMAT = ("earliest", "v110")


def pack_hdf5(shards: Sequence[str | Path], package: str | Path, attributes: Mapping[str, str]) -> dict[str, int]:
    """Write the images of all shards, in their order, as one HDF5 package; return the counts of images in and out.

    `attributes` are named as in the config (`copyright_holder`) and stored as published (`Copyright Holder`). Raises
    InputError for an image_file that two shards hold, a damaged shard, or no image at all.
    """
    progress = Progress(Path(package).name, count_images(shards))
    # Without locks, which fail on some cluster file systems: no one else opens the part file.
    with write_aside(package) as part, h5py.File(part, "w", libver=FORMAT, locking=False) as file:
        keep_names_in_memory(file)
        group = file.create_group(GROUP)
        for name, value in attributes.items():
            group.attrs[name.replace("_", " ").title()] = value
        images = _Images(group)
        for _, image_file, data in read_shards(shards):
            images.add(image_file, data)
            progress.advance()
        packed = len(group)
        file.attrs.update(recipe_of_job())
    return {"in": packed, "out": packed}


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


if __name__ == "__main__":
    inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
    with job(snakemake) as record, staged(inputs.shards, params.scratch) as shards:
        record.images = pack_hdf5(shards, outputs.package, params.attributes)
