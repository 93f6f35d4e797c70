"""A disk that is full, or that nobody may write to, while each stage writes: one message, and nothing half done."""

from __future__ import annotations

import contextlib
import gc
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from small_detectors import small_detector
from toy_boxes import with_quality

from bioscan1m.audit.evidence import read_sound_records
from bioscan1m.boxes.geometry import Crop
from bioscan1m.boxes.table import write_boxes
from bioscan1m.crop.detection import Detection, Machine, detect_chunk
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.disk_errors import advice_on_disk
from bioscan1m.foundation.figures import save_figure
from bioscan1m.foundation.images import encode_jpeg
from bioscan1m.foundation.quarantine import COLUMNS
from bioscan1m.foundation.scratch import staged
from bioscan1m.foundation.tables import write_table
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.jobs.records import RECORDS, write_record
from bioscan1m.jobs.sealing import seal
from bioscan1m.metadata.table import write_strings, write_tsv
from bioscan1m.networks.training_state import TrainingState
from bioscan1m.networks.weights import write_weights
from bioscan1m.package.shards import pack_zip
from crop_chunk import crop_chunk
from export_crate import export_crate
from pack_hdf5 import pack_hdf5
from resize_chunk import Resize, resize_chunk

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
DISK_BYTES, LEFT_BYTES = 16 * 2**20, 4096
SIDE = 400
NOISE = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
WORDS = ["".join(map(chr, row)) for row in np.random.default_rng(2).integers(97, 122, (4000, 120))]
IMAGES = [f"{number}.jpg" for number in range(10)]
RECORD = {
    "rule": "crop_chunk",
    "inputs": [],
    "outputs": [],
    "parameters": {"words": WORDS},
    "code": "crop_chunk:1",
    "ended": "2026-01-01T00:00:00+00:00",
}
ATTRIBUTES = {"description": "Wells", "copyright_license": "CC BY"}


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def disk(mounted: Path) -> Iterator[Path]:
    """A disk of 16 MB with nothing on it."""
    yield mounted
    gc.collect()  # an error that Python still keeps holds the file that was being written
    for path in mounted.iterdir():
        path.unlink()


@pytest.fixture
def filling(disk: Path) -> Path:
    """What was made before, and left no room on the disk."""
    path = disk / "made before"
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - LEFT_BYTES)
    return path


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a zip of 1 MB of images, their boxes, and a run of one job."""
    folder = tmp_path_factory.mktemp("source")
    with ZipWriter(folder / "part1.zip") as archive:
        for number, image_file in enumerate(IMAGES):
            archive.add(image_file, encode_jpeg(Image.fromarray(np.roll(NOISE, number)), 75))
    boxes = {"width": SIDE, "height": SIDE, "x_min": 0, "y_min": 0, "x_max": SIDE, "y_max": SIDE, "score": 0.9}
    table = pd.DataFrame({"image_file": IMAGES}).assign(**boxes, status="detected")
    write_boxes(folder / "boxes.parquet", with_quality(table), {})
    write_record(folder / "run" / RECORDS / "crop_chunk/part1.json", RECORD)
    return folder


def detect(source: Path, path: Path) -> None:
    detect_chunk(
        source / "part1.zip",
        small_detector(),
        detection=Detection(image_size=None, precision="auto", score_threshold=0.5, below_threshold="best_box"),
        machine=Machine(batch_size=4, decoders=2, passes=1),
        unreadable_limit=0,
        boxes=path,
        quarantine=path.with_name("lost.tsv"),
        described={},
    )


def crop(source: Path, path: Path) -> None:
    crop_chunk(
        chunk=source / "part1.zip",
        boxes=source / "boxes.parquet",
        cropped=path,
        quarantine=path.with_name("lost.tsv"),
        crop=Crop(
            ratio=1.4, extension="equal", aspect=None, rotate=False, rounding="nearest", pad_value=255, jpeg_quality=75
        ),
        member_folder="part1",
        unreadable_limit=0,
        threads=2,
    )


def resize(source: Path, path: Path) -> None:
    resize_chunk(
        images=source / "part1.zip",
        shard=path,
        quarantine=path.with_name("lost.tsv"),
        resize=Resize(pixels=SIDE, side="shorter", filter="lanczos", jpeg_quality="keep", jpeg_quality_of_others=92),
        package="cropped_256",
        chunk="1",
        keep_folders=False,
        unreadable_limit=0,
        threads=2,
    )


def draw(_: Path, path: Path) -> None:
    figure = Figure(figsize=(12, 12))
    figure.add_subplot().imshow(np.random.default_rng(3).random((900, 900)), cmap="prism", interpolation="nearest")
    save_figure(figure, path)


def export(source: Path, path: Path) -> None:
    with contextlib.chdir(source / "run"):
        export_crate(str(path), [str(path.with_name("Snakefile"))], ATTRIBUTES)


STAGES: dict[str, Callable[[Path, Path], object]] = {
    "fetch": lambda source, path: fetch(str(source / "part1.zip"), path, attempts=2, timeout=1),
    "boxes": detect,
    "crops": crop,
    "shards": resize,
    "zip package": lambda source, path: pack_zip([source / "part1.zip"], path),
    "hdf5 package": lambda source, path: pack_hdf5([source / "part1.zip"], path, {}),
    "metadata": lambda _, path: write_tsv(path, pa.table({"image_file": WORDS})),
    "metadata in parquet": lambda _, path: write_strings(path, pa.table({"image_file": WORDS})),
    "quarantine": lambda _, path: write_rows(path, COLUMNS, [(word, "crop", "damaged") for word in WORDS]),
    "tables": lambda _, path: write_table(path, pd.DataFrame({"image_file": WORDS})),
    "state of a training": lambda _, path: TrainingState(path, "recipe").save({"weight": torch.zeros(2**20)}),
    "model": lambda _, path: write_weights(path, {"weight": torch.zeros(2**20)}, {}),
    "figure": draw,
    "record": lambda _, path: write_record(path, RECORD),
    "ledger": lambda source, path: seal(path, read_sound_records(source / "run"), "2026-01-02"),
    "crate": export,
}
# What a stage makes first fits on the disk, and is whole.
FIRST_OUTPUTS = {"lost.tsv", "Snakefile", "ledger.lock", "ledger.head"}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_full_disk_is_told_and_the_same_call_succeeds_with_room(disk, filling, source, tmp_path, stage):
    with pytest.raises(Exception) as error:
        stage(source, disk / "result.png")
    told = rf"{disk}/result\.png\S*: No space left on device; make room .*, then run the same command"
    assert re.match(told, advice_on_disk(error.value, []) or "")
    assert {path.name for path in disk.iterdir()} - FIRST_OUTPUTS == {filling.name}
    filling.unlink()
    stage(source, disk / "result.png")
    stage(source, tmp_path / "result.png")
    assert (disk / "result.png").read_bytes() == (tmp_path / "result.png").read_bytes()
    assert {path.name for path in disk.iterdir()} - FIRST_OUTPUTS == {"result.png"}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_disk_that_cannot_be_written_to_is_told(disk, source, stage):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        with pytest.raises(Exception) as error:
            stage(source, disk / "result.png")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    advice = advice_on_disk(error.value, [])
    assert advice is not None and "Read-only file system; make the folder of the run writable" in advice
    assert str(disk) in advice
    assert list(disk.iterdir()) == []


def test_a_full_disk_of_the_node_is_told_and_done_without_until_there_is_room(disk, filling, source, caplog):
    chunk = str(source / "part1.zip")
    with staged([chunk], str(disk)) as read:
        assert read == [chunk]
    assert f"scratch {disk}: " in caplog.text and "do not fit" in caplog.text
    assert list(disk.iterdir()) == [filling]
    filling.unlink()
    with staged([chunk], str(disk)) as (copy,):
        assert copy != chunk and Path(copy).read_bytes() == Path(chunk).read_bytes()


def test_only_an_input_that_is_gone_is_a_trouble_of_the_disk(tmp_path):
    gone = str(tmp_path / "gone.zip")
    with pytest.raises(FileNotFoundError) as error:
        Path(gone).read_bytes()
    assert advice_on_disk(error.value, []) is None
    assert f"{gone}: no such file; it was there when the run began" in advice_on_disk(error.value, [gone])
