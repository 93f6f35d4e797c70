"""A published package in HDF5 becomes a chunk like the published zip: the same images by the same keys."""

from pathlib import Path

import h5py
import pytest

from bioscan1m.foundation.archives import read_members
from bioscan1m.foundation.errors import InputError
from bioscan1m.package.shards import pack_zip
from fetch_chunk import check_chunk, is_hdf5, zip_package
from pack_hdf5 import pack_hdf5

IMAGES = {"BIOUG1-A01.jpg": b"one", "Apidae~a%7Eb.jpg": b"two", "Käfer.png": b"three"}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of three images."""
    path = tmp_path / "crops"  # without a suffix, as from Google Drive
    with h5py.File(path, "w") as file:
        for name, data in IMAGES.items():
            file.create_dataset(f"bioscan_dataset/{name}", data=list(data), dtype="u1")
    return path


def images_of(path: Path) -> dict[str, object]:
    """The bytes of the images of a zip by their keys."""
    return {member.image_file: data for member, data in read_members(path)}


def test_the_images_keep_names_and_bytes(package: Path, tmp_path: Path) -> None:
    assert is_hdf5(package)
    check_chunk(package)
    zip_package(package, tmp_path / "part1.zip")
    check_chunk(tmp_path / "part1.zip")
    assert not is_hdf5(tmp_path / "part1.zip")
    assert images_of(tmp_path / "part1.zip") == IMAGES


def test_what_is_packed_of_it_is_read_again(package: Path, tmp_path: Path) -> None:
    zip_package(package, tmp_path / "part1.zip")
    pack_hdf5([tmp_path / "part1.zip"], tmp_path / "again.hdf5", {})
    pack_zip([tmp_path / "part1.zip"], tmp_path / "again.zip")
    zip_package(tmp_path / "again.hdf5", tmp_path / "twice.zip")
    assert images_of(tmp_path / "twice.zip") == images_of(tmp_path / "again.zip") == IMAGES


@pytest.mark.parametrize("cut", [100, 8])
def test_half_a_package_is_refused(package: Path, cut: int) -> None:
    package.write_bytes(package.read_bytes()[:cut])
    with pytest.raises(InputError, match="HDF5"):
        check_chunk(package)


def test_another_hdf5_file_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file.create_group("images")
    with pytest.raises(InputError, match="no group bioscan_dataset"):
        check_chunk(tmp_path / "other.hdf5")
