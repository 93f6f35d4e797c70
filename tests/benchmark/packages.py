"""From photographs and crops to packages: resizing to 256 pixels, and packing into one HDF5 or zip."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from benchmark.harness import Stage, cores, new_file
from benchmark.photographs import photographs
from bioscan1m.foundation.archives import ZipReader, ZipWriter, read_members
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.package.images import GROUP
from bioscan1m.package.shards import pack_zip
from pack_hdf5 import pack_hdf5
from resize_chunk import Resize, resize_chunk, resize_image

RESIZED_IMAGES = 76
PACKED_IMAGES = 200_000
PACKED_BYTES = 7_000  # of a crop at 256 pixels, about
RESIZE = Resize(pixels=256, side="shorter", filter="lanczos", jpeg_quality="keep", jpeg_quality_of_others=92)


def prepare(folder: Path, share: float = 1) -> None:
    """Write a chunk of photographs, and a shard of as many small images as a medium experiment has; or a share."""
    files = photographs()
    with ZipWriter(folder / "chunk.zip") as archive:
        for number in range(int(RESIZED_IMAGES * share)):
            archive.add(f"part1/{number}.jpg", files[number % len(files)])
    rng = np.random.default_rng(0)
    with ZipWriter(folder / "shard.zip") as archive:
        for number in range(int(PACKED_IMAGES * share)):
            archive.add(f"bioscan/images/cropped_256/part1/BIOUG{number:06}-A01.jpg", rng.bytes(PACKED_BYTES))


def stages() -> list[Stage]:
    """What is timed."""
    return [
        Stage("resize to 256 px", {"ours": resize_ours, "reference": resize_naive, "limit": resize_limit}, scales=True),
        Stage("pack HDF5", {"ours": pack_ours, "reference": pack_naive, "limit": pack_limit}, scales=True),
        Stage("pack zip", {"ours": zip_ours, "reference": zip_naive, "limit": zip_limit}, scales=True),
    ]


def further(folder: Path) -> dict[str, object]:
    """What the figures are of."""
    sizes = {name: (folder / name).stat().st_size for name in ("chunk.zip", "shard.zip")}
    return {"packed_images": PACKED_IMAGES, "resized_images": RESIZED_IMAGES, "bytes": sizes}


def resize_ours(folder: Path) -> Callable[[], int]:
    """Ours, from zip to shard."""
    made = folder / "resized.zip", folder / "resized.tsv"
    return lambda: resize_chunk(
        folder / "chunk.zip",
        *made,
        resize=RESIZE,
        package="original_256",
        chunk="1",
        keep_folders=False,
        unreadable_limit=0.0,
        threads=cores(),
    )["out"]


def resize_naive(folder: Path) -> Callable[[], int]:
    """Pillow, one image at a time, decoded in full."""

    def work() -> int:
        with zipfile.ZipFile(folder / "chunk.zip") as source, zipfile.ZipFile(folder / "naive.zip", "w") as archive:
            for name in source.namelist():
                image = Image.open(io.BytesIO(source.read(name)))
                scale = 256 / min(image.size)
                size = round(image.width * scale), round(image.height * scale)
                small, buffer = image.resize(size, Image.Resampling.LANCZOS), io.BytesIO()
                small.save(buffer, "JPEG", qtables=image.quantization, optimize=True)
                archive.writestr(name, buffer.getvalue())
        return RESIZED_IMAGES

    return work


def resize_limit(folder: Path) -> Callable[[], int]:
    """DCT-scaled decoding, resizing and encoding of files in memory, on all cores."""
    files = [data for _, data in read_members(folder / "chunk.zip")]
    return lambda: sum(1 for _ in map_in_order(lambda data: resize_image(data, RESIZE), files, cores()))


def pack_ours(folder: Path) -> Callable[[], int]:
    """Ours, from shard to HDF5."""
    package = new_file(folder / "ours.hdf5")
    return lambda: pack_hdf5([folder / "shard.zip"], package, {"author": "nobody"})["out"]


def pack_naive(folder: Path) -> Callable[[], int]:
    """`create_dataset` in a loop."""
    package = new_file(folder / "naive.hdf5")

    def work() -> int:
        with zipfile.ZipFile(folder / "shard.zip") as shard, h5py.File(package, "w") as file:
            group = file.create_group(GROUP)
            for name in shard.namelist():
                group.create_dataset(Path(name).name, data=np.frombuffer(shard.read(name), np.uint8))
            return len(group)

    return work


def pack_limit(folder: Path) -> Callable[[], int]:
    """HDF5's low-level calls alone, one array in memory written again and again under new names."""
    data, names = np.zeros(PACKED_BYTES, np.uint8), [f"BIOUG{n:06}-A01.jpg".encode() for n in range(PACKED_IMAGES)]
    package = new_file(folder / "limit.hdf5")

    def work() -> int:
        with h5py.File(package, "w") as file:
            group, space = file.create_group(GROUP).id, h5py.h5s.create_simple((PACKED_BYTES,))
            for name in names:
                h5py.h5d.create(group, name, h5py.h5t.NATIVE_UINT8, space).write(h5py.h5s.ALL, h5py.h5s.ALL, data)
            return len(names)

    return work


def zip_ours(folder: Path) -> Callable[[], int]:
    """Ours, from shard to zip."""
    package = new_file(folder / "ours.zip")
    return lambda: pack_zip([folder / "shard.zip"], package)["out"]


def zip_naive(folder: Path) -> Callable[[], int]:
    """zipfile in a loop."""
    package = new_file(folder / "naive.zip")

    def work() -> int:
        with zipfile.ZipFile(folder / "shard.zip") as shard, zipfile.ZipFile(package, "w") as archive:
            for name in shard.namelist():
                archive.writestr(name, shard.read(name))
        return PACKED_IMAGES

    return work


def zip_limit(folder: Path) -> Callable[[], int]:
    """Reading the shard and writing its bytes to another file, member by member."""
    package = new_file(folder / "limit.bin")

    def work() -> int:
        with ZipReader(folder / "shard.zip") as shard, package.open("wb") as file:
            return sum(file.write(shard.read(member)) > 0 for member in shard.members)

    return work
