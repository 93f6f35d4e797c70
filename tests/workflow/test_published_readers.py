"""What others read BIOSCAN-1M with reads our files: the dataset package, mlcroissant, h5py as the released loader."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path

import h5py
import mlcroissant
import numpy as np
import pandas as pd
import pytest
from bioscan_dataset import BIOSCAN1M
from PIL import Image

from workflow_runs import demo_config

pytestmark = pytest.mark.workflow

METADATA = "results/metadata/BIOSCAN_Insect_Dataset_metadata.tsv"


class OwnData(BIOSCAN1M):
    """The published reader without the checksums of the published files, which other data do not have."""

    image_files = ()
    meta = BIOSCAN1M.meta | {"csv_md5": None}


@pytest.fixture(scope="module")
def unpacked(small_run, tmp_path_factory) -> Path:
    """The layout that the reader wants: the TSV, and the zip's images beside it."""
    root = tmp_path_factory.mktemp("reader")
    shutil.copy(small_run / METADATA, root)
    with zipfile.ZipFile(small_run / "results/packages/cropped_256.zip") as archive:
        archive.extractall(root)
    return root


@pytest.mark.parametrize(
    ("experiment", "target"), [("large_diptera_family", "family"), ("small_insect_order", "order")]
)
def test_the_dataset_package_reads_every_split(small_run, unpacked, experiment, target) -> None:
    split = pd.read_parquet(small_run / f"results/splits/{experiment}.parquet")
    lost = set(pd.read_csv(small_run / "results/quarantine/all.tsv", sep="\t")["image_file"])
    for role in ("train", "validation", "test"):
        rows = split[(split["role"] == role) & ~split["image_file"].isin(lost)].set_index("image_file")
        data = OwnData(unpacked, split=role, partitioning_version=experiment, target_type=target)
        found = dict(zip(data.metadata["image_file"], range(len(data)), strict=True))
        assert set(rows.index) <= set(found)
        for image_file in list(rows.index)[:3]:
            image, barcode, label = data[found[image_file]]
            assert min(image.size) == 256 and len(barcode) > 100
            assert data.index2label(label) == rows.loc[image_file, "label"]


def test_mlcroissant_validates_and_loads_records(small_run) -> None:
    dataset = mlcroissant.Dataset(jsonld=str(small_run / "results/metadata/croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    metadata = pd.read_csv(small_run / METADATA, sep="\t", dtype=str, keep_default_na=False)
    records = list(dataset.records("specimens"))
    assert len(records) == len(metadata)
    first = {key.partition("/")[2]: value for key, value in records[0].items()}
    for column in ("image_file", "family", "large_insect_order"):
        assert first[column].decode() == metadata.loc[0, column]
    record = next(iter(dataset.records("cropped_256")))
    assert min(record["cropped_256/image"].size) == 256


def test_h5py_reads_an_image_as_the_released_loader_does(small_run) -> None:
    with h5py.File(small_run / "results/packages/cropped_256.hdf5", "r") as file:
        group = file["bioscan_dataset"]
        name = next(iter(group))
        image = Image.open(io.BytesIO(np.asarray(group[name])))
        assert image.mode == "RGB" and min(image.size) == 256
        stated = demo_config()["packages"]["attributes"]
        assert dict(group.attrs) == {name.replace("_", " ").title(): value for name, value in stated.items()}
        assert {"Description", "Copyright Institution", "Copyright Contact", "Author"} <= set(group.attrs)
