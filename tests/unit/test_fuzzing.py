"""Thousands of damaged files through the functions that read them: each is used, or refused by name; none hangs.

The quick tests take the first of them, `make test-slow` the rest of 1,000 of each kind.
"""

from __future__ import annotations

import io
import resource
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from mutations import mutated
from PIL import Image

from bioscan1m.boxes.table import SCHEMA, read_boxes, read_settings, write_boxes
from bioscan1m.fetch.content import check_zip
from bioscan1m.foundation.archives import list_members
from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.images import decode, image_size
from bioscan1m.metadata.validation import validate_metadata
from bioscan1m.networks.checkpoints import read_state
from bioscan1m.networks.weights import read_recipe, read_weights, write_weights
from bioscan1m.package.shards import pack_zip
from pack_hdf5 import pack_hdf5
from resize_chunk import Resize, resize_chunk, resize_image

NUMBERS = [pytest.param(range(60), id="quick"), pytest.param(range(60, 1000), id="all", marks=pytest.mark.slow)]
RESIZE = Resize(pixels=32, side="shorter", filter="lanczos", jpeg_quality="keep", jpeg_quality_of_others=92)
# Of processor time, for one file: damage may not make a reader go round in circles.
SECONDS = 10.0
# Above what the process has taken before: two copies of the largest image that is decoded.
MEMORY_KILOBYTES = 2 * 4 * 200_000_000 // 1024


@contextmanager
def bounded() -> Iterator[None]:
    """Fail where the block takes too long or too much memory."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    yield
    assert time.process_time() - start < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_KILOBYTES


def photograph(kind: str = "JPEG", **options: object) -> bytes:
    """An image with something to see in it."""
    pixels = np.random.default_rng(1).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((96, 72)).save(buffer, kind, **options)
    return buffer.getvalue()


def exif() -> bytes:
    described = Image.Exif()
    described[0x0112], described[0x010F] = 6, "a camera"
    return described.tobytes()


JPEGS = (photograph(), photograph(progressive=True, exif=exif()), photograph(quality=95, subsampling=0, exif=exif()))
OTHERS = (*(photograph(kind) for kind in ("PNG", "WEBP", "GIF", "BMP", "TIFF")), photograph("TIFF", compression="jpeg"))


@pytest.mark.filterwarnings("ignore")  # Pillow's, of damaged files
@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("sound", [JPEGS, OTHERS], ids=["jpeg", "other formats"])
def test_a_damaged_image_is_resized_or_refused(sound, numbers):
    for number in numbers:
        data = mutated(sound[number % len(sound)], number)
        with bounded():
            try:
                assert min(decode(resize_image(data, RESIZE)).size) == RESIZE.pixels
                assert decode(data).size == image_size(data)
            except UnreadableImage as reason:
                assert str(reason)


def chunk() -> bytes:
    """A chunk with members as different programs write them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("part1/", b"")
        for number, method in enumerate(
            (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        ):
            archive.writestr(f"part1/{number}.jpg", photograph(), method)
        with archive.open("part1/é.jpg", "w", force_zip64=True) as member:
            member.write(photograph())
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("numbers", NUMBERS)
def test_a_damaged_zip_is_used_as_far_as_it_goes_or_refused_by_name(tmp_path, numbers):
    sound, path = chunk(), tmp_path / "source/part1.zip"
    shard, lost = tmp_path / "results/shard.zip", tmp_path / "results/lost.tsv"
    packages = tmp_path / "results/package.zip", tmp_path / "results/package.hdf5"
    path.parent.mkdir()
    for number in numbers:
        path.write_bytes(mutated(sound, number))
        with bounded():
            try:
                check_zip(path)
                counts = resize_chunk(
                    path,
                    shard,
                    lost,
                    resize=RESIZE,
                    package="original_256",
                    chunk="1",
                    keep_folders=False,
                    unreadable_limit=1.0,
                    threads=2,
                )
                assert counts["in"] == counts["out"] + counts["quarantined"] == len(list_members(path))
                assert pack_zip([shard], packages[0]) == pack_hdf5([shard], packages[1], {})
            except InputError as error:
                named = (str(path), str(shard), "the file is no zip", "the zip has no files in it")
                assert any(text in str(error) for text in named)
    assert {file for file in tmp_path.rglob("*") if file.is_file()} <= {path, shard, lost, *packages}


def table() -> bytes:
    """Metadata with values of all kinds."""
    lines = ["image_file\tchunk_number\tsampleid\torder\tfamily\tnucraw"]
    for n in range(40):
        lines.append(f'{n}.jpg\t1\tS-{n}\tDiptera\t"Culic""idae"\tACGT' if n % 3 else f"é{n}.jpg\t1\t\tDiptera\t\t")
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("numbers", NUMBERS)
def test_a_damaged_table_is_read_or_refused_by_name(tmp_path, numbers):
    sound, path = table(), tmp_path / "metadata.tsv"
    for number in numbers:
        path.write_bytes(mutated(sound, number))
        with bounded():
            try:
                labels, outputs = ["order", "family"], (tmp_path / "validated.parquet", tmp_path / "warnings.tsv")
                counts = validate_metadata(path, ["1"], labels, [], *outputs, threads=1)
            except InputError as error:
                assert str(path) in str(error)
            else:
                assert counts["in"] == len(pd.read_parquet(outputs[0]))


def boxes(path: Path) -> bytes:
    """A boxes table as the detection writes it."""
    values = {"string": "a.jpg", "int32": 7, "bool": True}
    row = {field.name: values.get(str(field.type), 0.5) for field in SCHEMA} | {"status": "detected"}
    write_boxes(path, pd.DataFrame([row | {"image_file": f"{n}.jpg"} for n in range(50)]), {"model": "a"})
    return path.read_bytes()


@pytest.mark.parametrize("numbers", NUMBERS)
def test_a_damaged_parquet_file_is_read_or_refused_by_name(tmp_path, numbers):
    path = tmp_path / "part1.parquet"
    sound = boxes(path)
    for number in numbers:
        path.write_bytes(mutated(sound, number))
        for read in (read_boxes, read_settings):
            with bounded():
                try:
                    read(path)
                except InputError as error:
                    assert str(path) in str(error)


def checkpoints(path: Path) -> list[bytes]:
    """A checkpoint in the forms in which torch has written it since 1.6 and before, and as safetensors."""
    state, forms = {"weight": torch.arange(64.0), "bias": torch.zeros(3)}, []
    for zipped in (True, False):
        torch.save({"state_dict": state, "epoch": 3}, path, _use_new_zipfile_serialization=zipped)
        forms.append(path.read_bytes())
    write_weights(path, state, {"classes": ["a"]})
    return [*forms, path.read_bytes()]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("numbers", NUMBERS)
def test_damaged_weights_are_read_or_refused_by_name(tmp_path, numbers):
    path = tmp_path / "detector.ckpt"
    forms = checkpoints(path)
    for number in numbers:
        path.write_bytes(mutated(forms[number % len(forms)], number))
        for read in (lambda path: read_state(path, "state_dict", "a checkpoint"), read_weights, read_recipe):
            with bounded():
                try:
                    read(path)
                except InputError as error:
                    assert str(path) in str(error)
