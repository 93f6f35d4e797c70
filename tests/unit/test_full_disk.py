"""A disk that is full, or that nobody may write to, while each stage writes: one message, and nothing half done."""

from __future__ import annotations

import os
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

from bioscan1m.archives import ZipWriter
from bioscan1m.atomic import write_json
from bioscan1m.detector.boxes_table import SCHEMA, write_boxes
from bioscan1m.disk_troubles import advice_on_disk
from bioscan1m.fetch.fetching import fetch
from bioscan1m.figures import save_figure
from bioscan1m.images import encode_jpeg
from bioscan1m.metadata.metadata import write_strings, write_tsv
from bioscan1m.package.packing import pack_hdf5, pack_zip
from bioscan1m.package.resizing import resize_chunk
from bioscan1m.quarantine import write_rows
from bioscan1m.tables import write_table
from bioscan1m.training_state import TrainingState
from bioscan1m.weights import write_weights

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
DISK_BYTES = 256 * 2**10
NOISE = np.random.default_rng(1).integers(0, 255, (400, 400, 3), dtype=np.uint8)
WORDS = ["".join(map(chr, row)) for row in np.random.default_rng(2).integers(97, 122, (4000, 120))]


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
    """A disk of 256 kB with nothing on it."""
    yield mounted
    for path in mounted.iterdir():
        path.unlink()


@pytest.fixture(scope="module")
def chunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip of 1 MB of images, which resized to the same size take as much."""
    path = tmp_path_factory.mktemp("source") / "part1.zip"
    with ZipWriter(path) as archive:
        for number in range(10):
            archive.add(f"{number}.jpg", encode_jpeg(Image.fromarray(np.roll(NOISE, number)), 75))
    return path


def boxes() -> pd.DataFrame:
    values = {"int32": 7, "bool": True}
    row = {field.name: values.get(str(field.type), 0.5) for field in SCHEMA} | {"status": "detected"}
    return pd.DataFrame([row | {"image_file": word} for word in WORDS])


def resize(chunk: Path, path: Path) -> None:
    settings = {"short_side": 400, "jpeg_quality": 75}
    resize_chunk(chunk, path, path.with_name("lost.tsv"), settings, "cropped_256", "1", False, 0, 2)


def draw(_: Path, path: Path) -> None:
    figure = Figure(figsize=(12, 12))
    figure.add_subplot().imshow(np.random.default_rng(3).random((900, 900)), cmap="prism", interpolation="nearest")
    save_figure(figure, path.with_suffix(".png"))


STAGES: dict[str, Callable[[Path, Path], object]] = {
    "fetch": lambda chunk, path: fetch(str(chunk), path, attempts=2, timeout=1),
    "boxes": lambda _, path: write_boxes(path, boxes(), {}),
    "shards and crops": resize,
    "zip package": lambda chunk, path: pack_zip([chunk], path),
    "hdf5 package": lambda chunk, path: pack_hdf5([chunk], path, {}),
    "metadata": lambda _, path: write_tsv(path, pa.table({"image_file": WORDS})),
    "metadata in parquet": lambda _, path: write_strings(path, pa.table({"image_file": WORDS})),
    "quarantine": lambda _, path: write_rows(path, [(word, "crop", "damaged") for word in WORDS]),
    "tables": lambda _, path: write_table(path, pd.DataFrame({"image_file": WORDS})),
    "state of a training": lambda _, path: TrainingState(path, "recipe").save({"weight": torch.zeros(2**20)}),
    "model": lambda _, path: write_weights(path, {"weight": torch.zeros(2**20)}, {}),
    "figure": draw,
    "record": lambda _, path: write_json(path, WORDS),
}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_full_disk_is_told_and_leaves_nothing_half_done(disk, chunk, stage):
    before = disk / "made before"
    before.write_bytes(b"kept")
    with pytest.raises(Exception) as error:
        stage(chunk, disk / "result")
    advice = advice_on_disk(error.value, [])
    assert advice is not None and "No space left on device; make room" in advice and "run the same command" in advice
    assert before.read_bytes() == b"kept"
    left = {path.name for path in disk.iterdir()} - {before.name, "lost.tsv"}
    # A transfer keeps what came, to go on from there.
    assert left == ({"result.part", "result.part.json"} if stage is STAGES["fetch"] else set())


def test_a_transfer_goes_on_when_there_is_room_again(disk, chunk):
    with pytest.raises(OSError, match="No space left"):
        fetch(str(chunk), disk / "result", attempts=1, timeout=1)
    subprocess.run(["mount", "-o", f"remount,size={16 * DISK_BYTES}", str(disk)], check=True)
    fetch(str(chunk), disk / "result", attempts=1, timeout=1)
    subprocess.run(["mount", "-o", f"remount,size={DISK_BYTES}", str(disk)], check=False)
    assert (disk / "result").read_bytes() == chunk.read_bytes()


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_a_disk_that_cannot_be_written_to_is_told(disk, chunk, stage):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        with pytest.raises(Exception) as error:
            stage(chunk, disk / "result")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    advice = advice_on_disk(error.value, [])
    assert advice is not None and "Read-only file system; make the folder of the run writable" in advice
    assert list(disk.iterdir()) == []


def test_only_an_input_that_is_gone_is_a_trouble_of_the_disk(tmp_path):
    gone = str(tmp_path / "gone.zip")
    with pytest.raises(FileNotFoundError) as error:
        Path(gone).read_bytes()
    assert advice_on_disk(error.value, []) is None
    assert f"{gone}: no such file; it was there when the run began" in advice_on_disk(error.value, [gone])
