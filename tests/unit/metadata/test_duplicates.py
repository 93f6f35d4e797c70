"""Copies of an image are found, whatever their size and quality, and no other images are taken for copies."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.images import decode
from bioscan1m.metadata.duplicates import EQUAL_BYTES, NEAR_DUPLICATE, read_duplicates
from find_duplicates import MOST_BITS, find_duplicates, similar_groups
from hash_images import DECODED_SIDE, hash_images, perceptual_hash

REAL_DATA = os.environ.get("BIOSCAN_REAL_DATA")


def as_jpeg(image: Image.Image, quality: int = 90) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def picture(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Smooth random patches."""
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(4))


def groups_of(folder: Path, *chunks: dict[str, bytes]) -> dict[str, tuple[str, str]]:
    """The first image by bytes and by look of each image that has copies, in chunks of these images."""
    hashes = []
    for number, images in enumerate(chunks):
        with ZipWriter(folder / f"{number}.zip") as archive:
            for name, data in images.items():
                archive.add(f"photographs/{name}", data)
        hashes.append(folder / f"{number}.parquet")
        hash_images(folder / f"{number}.zip", hashes[-1], threads=2)
    find_duplicates(hashes, folder / "duplicates.tsv")
    names = pd.Series([name for images in chunks for name in images])
    found = read_duplicates(folder / "duplicates.tsv", names)
    rows = zip(names, found[EQUAL_BYTES], found[NEAR_DUPLICATE], strict=True)
    return {name: (by_bytes, by_look) for name, by_bytes, by_look in rows if by_bytes or by_look}


def test_copies_are_found_over_chunks_in_another_size_and_quality(tmp_path):
    original, others = picture(1), {f"other{seed}.jpg": as_jpeg(picture(seed)) for seed in range(2, 30)}
    copies = {"half.jpg": as_jpeg(original.resize((160, 120))), "poor.jpg": as_jpeg(original, 40)}
    found = groups_of(tmp_path, {"a.jpg": as_jpeg(original), **others}, copies | {"same.jpg": as_jpeg(original)})
    assert {name: found.pop(name) for name in ("half.jpg", "poor.jpg")} == dict.fromkeys(copies, ("", "a.jpg"))
    assert found == dict.fromkeys(["a.jpg", "same.jpg"], ("a.jpg", "a.jpg"))


def test_blank_and_damaged_images_are_copies_only_where_their_bytes_are_equal(tmp_path):
    white, black = as_jpeg(Image.new("RGB", (300, 200), "white")), as_jpeg(Image.new("RGB", (320, 240)))
    noise = np.random.default_rng(1).integers(250, 256, (200, 300), dtype=np.uint8)
    images = {"b.jpg": white, "a.jpg": white, "black.jpg": black, "noise.jpg": as_jpeg(Image.fromarray(noise))}
    images |= {"broken.jpg": b"no image", "empty.jpg": b"", "NA": b"", "1e5": b"no image"}
    assert groups_of(tmp_path, images) == {
        **dict.fromkeys(["a.jpg", "b.jpg"], ("a.jpg", "a.jpg")),
        **dict.fromkeys(["broken.jpg", "1e5"], ("1e5", "1e5")),
        **dict.fromkeys(["empty.jpg", "NA"], ("NA", "NA")),
    }


def test_no_images_and_no_copies(tmp_path):
    assert groups_of(tmp_path, {}) == {}
    assert groups_of(tmp_path, {"a.jpg": as_jpeg(picture(1))}, {"b.jpg": as_jpeg(picture(2))}) == {}


@given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([0, 1, 3, 8, 30]))
def test_the_groups_are_those_of_all_pairs(seed, count, flips):
    """Hashes that come from few others by flipped bits, so that some are near MOST_BITS from each other."""
    random = np.random.default_rng(seed)
    hashes = random.integers(0, 256, (3, 256)).astype(np.uint8)[random.integers(0, 3, count)] & 1
    for bits in hashes:
        bits[random.choice(256, flips, replace=False)] ^= 1
    distances = (hashes[:, None] != hashes[None]).sum(axis=2)
    near = distances <= MOST_BITS
    for _ in range(count):
        near = near @ near
    groups = similar_groups(np.packbits(hashes, axis=1))
    assert ((groups[:, None] == groups[None]) == near).all()


def test_thousands_that_look_alike_are_one_group_in_seconds():
    random = np.random.default_rng(1)
    flipped = random.random((5000, 256)) < 0.01
    assert len(set(similar_groups(np.packbits(flipped, axis=1)))) == 1


@pytest.mark.skipif(REAL_DATA is None, reason="BIOSCAN_REAL_DATA names no folder of real photographs")
def test_no_two_real_wells_look_alike_and_every_copy_does():
    wells = sorted(Path(REAL_DATA).glob("wells/*/images/*.jpg"))[:300]
    originals = [decode(path.read_bytes()) for path in wells[:40]]
    copies = [as_jpeg(image.resize((image.width // 2, image.height // 2)), 75) for image in originals]
    files = [*(path.read_bytes() for path in wells), *copies]
    hashes = [perceptual_hash(decode(data, DECODED_SIDE)) for data in files]
    groups = similar_groups(np.frombuffer(b"".join(hashes), np.uint8).reshape(len(files), -1))
    assert len(set(groups[: len(wells)])) == len(wells)
    assert (groups[len(wells) :] == groups[: len(copies)]).all()
