"""Packages hold every image once, in order and byte for byte, and both the released loader and ours can read them."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from bioscan1m.foundation.archives import ZipWriter, list_members, read_members
from bioscan1m.foundation.errors import InputError
from bioscan1m.package.images import ImagePackage
from bioscan1m.package.shards import pack_zip
from pack_hdf5 import pack_hdf5

ATTRIBUTES = {"copyright_holder": "CBG Photography Group", "copyright_year": "2021", "date": "2023-06-12"}
NAMES = {"1": ["BIOUG2-B.jpg", "BIOUG1-A.jpg", "Käfer 1.jpg"], "2": ["A.jpg", "Z.png"]}


def jpeg(name: str) -> bytes:
    """A picture whose colours depend on its name."""
    colour = tuple(np.frombuffer(name.encode()[:3], np.uint8).tolist())
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), colour).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def shards(tmp_path) -> list[Path]:
    """Two shards as the resizing makes them."""
    for chunk, names in NAMES.items():
        with ZipWriter(tmp_path / f"part{chunk}.zip") as archive:
            for name in names:
                archive.add(f"bioscan/images/cropped_256/part{chunk}/{name}", jpeg(name))
    return [tmp_path / "part1.zip", tmp_path / "part2.zip"]


@pytest.fixture
def package(shards, tmp_path) -> Path:
    """The HDF5 package of both shards."""
    assert pack_hdf5(shards, tmp_path / "cropped_256.hdf5", ATTRIBUTES) == {"in": 5, "out": 5}
    return tmp_path / "cropped_256.hdf5"


def test_the_released_loader_reads_it(package):
    # bioscan_dataloader.py and utils.py of zahrag/BIOSCAN-1M
    hdf5 = h5py.File(package, "r")
    if "bioscan_dataset" in hdf5:
        hdf5 = hdf5["bioscan_dataset"]
    for name in [*NAMES["1"], *NAMES["2"]]:
        data = np.array(hdf5[name])
        assert data.dtype == np.uint8 and data.ndim == 1
        assert Image.open(io.BytesIO(data)).size == (30, 20)
    assert hdf5.attrs["Copyright Holder"] == "CBG Photography Group"
    assert dict(hdf5.attrs) == {
        "Copyright Holder": "CBG Photography Group",
        "Copyright Year": "2021",
        "Date": "2023-06-12",
    }


def test_image_package_is_a_mapping(package):
    images = ImagePackage(package)
    assert len(images) == 5 and set(images) == {*NAMES["1"], *NAMES["2"]}
    assert all(images[name] == jpeg(name) for name in images)
    assert "A.jpg" in images and "B.jpg" not in images
    assert images.attributes["Date"] == "2023-06-12"
    with pytest.raises(KeyError, match=r"B.jpg"):
        images["B.jpg"]


def test_images_that_lie_in_pieces_are_read_too(tmp_path):
    with h5py.File(tmp_path / "package.hdf5", "w") as file:
        data = np.frombuffer(jpeg("a"), np.uint8)
        file.create_dataset("bioscan_dataset/a.jpg", data=data, chunks=(100,), compression="gzip")
        file.create_dataset("bioscan_dataset/empty.jpg", data=data[:0])
    package = ImagePackage(tmp_path / "package.hdf5")
    assert (package["a.jpg"], package["empty.jpg"]) == (jpeg("a"), b"")
    assert package.place("a.jpg") == package.place("empty.jpg") == (0, 0)


def test_an_image_lies_where_its_place_says(package):
    images = ImagePackage(package)
    assert all(images.at(*images.place(name)) == images[name] for name in images)
    with pytest.raises(KeyError):
        images.place("absent.jpg")


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_image_package_reads_in_other_processes(package, start):
    images = ImagePackage(package)
    assert images["A.jpg"]  # open here before it goes to the workers
    with ProcessPoolExecutor(2, mp_context=get_context(start)) as pool:
        assert list(pool.map(images.__getitem__, [*NAMES["1"]] * 3)) == [jpeg(name) for name in NAMES["1"]] * 3


def test_image_package_pickles_small(package):
    images = ImagePackage(package)
    len(images)
    assert len(pickle.dumps(images)) < 500
    assert pickle.loads(pickle.dumps(images))["A.jpg"] == jpeg("A.jpg")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such package"), (b"text", "not a readable HDF5 file"), ("empty", "no group bioscan_dataset")],
)
def test_what_is_no_package_is_named(tmp_path, content, message):
    path = tmp_path / "package.hdf5"
    if content == "empty":
        h5py.File(path, "w").close()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"package.hdf5: .*{message}"):
        ImagePackage(path)["A.jpg"]


def test_images_lie_in_the_order_of_the_shards(package):
    with h5py.File(package) as file:
        offsets = [file["bioscan_dataset"][name].id.get_offset() for name in [*NAMES["1"], *NAMES["2"]]]
    assert offsets == sorted(offsets)


def test_nothing_of_the_clock_is_in_it(package):
    with h5py.File(package) as file:
        for place, name in [(file, "bioscan_dataset"), (file["bioscan_dataset"], "A.jpg")]:
            assert h5py.h5g.get_objinfo(place.id, name.encode()).mtime == 0


def test_same_bytes_in_another_process(shards, tmp_path):
    pack = "pack_hdf5(sys.argv[2:], sys.argv[1], {'date': '1'})"
    code = f"import sys; from pack_hdf5 import pack_hdf5; {pack}"
    again = [tmp_path / "first.hdf5", tmp_path / "second.hdf5"]
    for path in again:
        subprocess.run([sys.executable, "-c", code, path, *shards], check=True, env={"PYTHONPATH": ":".join(sys.path)})
    assert again[0].read_bytes() == again[1].read_bytes()


def test_zip_keeps_names_order_and_bytes(shards, tmp_path):
    assert pack_zip(shards, tmp_path / "cropped_256.zip") == {"in": 5, "out": 5}
    expected = [f"bioscan/images/cropped_256/part{chunk}/{name}" for chunk, names in NAMES.items() for name in names]
    assert [member.name for member in list_members(tmp_path / "cropped_256.zip")] == expected
    assert all(data == jpeg(member.image_file) for member, data in read_members(tmp_path / "cropped_256.zip"))


@pytest.mark.parametrize("pack", [pack_zip, lambda shards, package: pack_hdf5(shards, package, {})])
def test_bad_shards_are_named_and_leave_nothing(shards, tmp_path, pack):
    package = tmp_path / "package"
    with pytest.raises(InputError, match=r"BIOUG2-B.jpg is in both .*part1.zip and .*part1.zip"):
        pack([shards[0], shards[0]], package)
    with pytest.raises(InputError, match="no image in no shard"):
        pack([], package)
    with pytest.raises(InputError, match=r"part9.zip: no such file"):
        pack([*shards, tmp_path / "part9.zip"], package)
    damaged = bytearray(shards[1].read_bytes())
    damaged[120] ^= 255  # inside the first picture
    shards[1].write_bytes(damaged)
    with pytest.raises(InputError, match=r"part2.zip: .*A.jpg: .*Remove this file"):
        pack(shards, package)
    assert not list(tmp_path.glob("package*"))


def test_the_names_of_the_whole_dataset_fit_into_the_cache_of_an_open_package(package):
    images = ImagePackage(package)
    bytes_per_name = 32  # of BIOUG12345-A01.jpg in the heap of the group, which grows by doubling
    file = h5py.h5i.get_file_id(images._open().id)
    assert file.get_mdc_config().max_size >= 2 * 1_128_313 * bytes_per_name
