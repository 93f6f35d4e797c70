"""The channels of an experiment are those of all pixels of its training images, and of no others."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from toy_experiment import IMAGES, make_package

from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.errors import InputError
from bioscan1m.networks.channels import Channels, read_channels
from bioscan1m.package.images import ImagePackage
from measure_channels import channel_statistics, measure_channels
from pack_hdf5 import pack_hdf5


def pixels_of(package: Path, image_files: list[str]) -> np.ndarray:
    """(pixels, 3) of images, from 0 to 1."""
    images = ImagePackage(package)
    return np.concatenate(
        [np.asarray(Image.open(io.BytesIO(images[name]))).reshape(-1, 3) / 255 for name in image_files]
    )


def training_images(split: Path) -> list[str]:
    rows = pq.read_table(split).to_pylist()
    return [row["image_file"] for row in rows if row["role"] == "train"]


@pytest.mark.parametrize("threads", [1, 3])
def test_they_are_those_of_all_pixels_of_the_training_images(tmp_path, threads):
    package, split = make_package(tmp_path)
    counts = measure_channels(package, split, tmp_path / "channels.json", threads)
    pixels = pixels_of(package, training_images(split))
    found = read_channels(tmp_path / "channels.json")
    assert np.allclose(found.mean, pixels.mean(axis=0), atol=1e-6) and np.allclose(
        found.std, pixels.std(axis=0), atol=1e-6
    )
    assert isinstance(found, Channels) and counts == {"in": 31, "out": 31, "skipped": 0}


def test_images_that_are_missing_or_damaged_are_left_out_and_counted(tmp_path, caplog):
    package, split = make_package(tmp_path, missing=1, damaged=2)
    counts = measure_channels(package, split, tmp_path / "channels.json", 2)
    assert counts == {"in": 31, "out": 28, "skipped": 3} and "3 of 31 training images" in caplog.text
    pixels = pixels_of(package, training_images(split)[3:])
    assert np.allclose(read_channels(tmp_path / "channels.json").mean, pixels.mean(axis=0), atol=1e-6)
    assert json.loads((tmp_path / "channels.json").read_text())["images"] == 28


def test_no_readable_image_is_an_error(tmp_path):
    package, split = make_package(tmp_path, damaged=sum(IMAGES.values()))
    with pytest.raises(InputError, match="none of 31 training images"):
        measure_channels(package, split, tmp_path / "channels.json", 1)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (10, 200, 30)])
def test_images_of_one_colour_cannot_be_divided_by_their_deviation(tmp_path, colour):
    with ZipWriter(tmp_path / "shard.zip") as archive:
        for place in range(3):
            buffer = io.BytesIO()
            Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
            archive.add(f"{place}.png", buffer.getvalue())
    pack_hdf5([tmp_path / "shard.zip"], tmp_path / "package.hdf5", {})
    pq.write_table(
        pa.table({"image_file": ["0.png", "1.png", "2.png"], "role": ["train"] * 3}), tmp_path / "split.parquet"
    )
    with pytest.raises(InputError, match="one value in a whole channel"):
        measure_channels(tmp_path / "package.hdf5", tmp_path / "split.parquet", tmp_path / "channels.json", 1)


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=30), st.integers(1, 10**9))
def test_statistics_of_a_histogram_are_those_of_its_pixels_however_many_there_are(pixels, times):
    values = np.array(pixels)
    counts = np.stack([np.bincount(values[:, channel], minlength=256) for channel in range(3)]) * times
    mean, std = channel_statistics(counts)
    assert np.allclose(mean, values.mean(axis=0) / 255, atol=1e-6) and np.allclose(
        std, values.std(axis=0) / 255, atol=1e-6
    )
