"""Measure the mean and standard deviation of the colour channels of an experiment's training images.

They are those of all pixels as they are packed, from 0 to 1. Histograms are added up: exact, whatever the number of
threads.
"""

import logging
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.images import decode
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.streams import map_in_order
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.jobs.context import job
from bioscan1m.package.images import ImagePackage

logger = logging.getLogger(__name__)

CHANNELS, VALUES = 3, 256
DIGITS = 6


def measure_channels(package: str | Path, split: str | Path, channels: str | Path, threads: int) -> dict[str, int]:
    """Write the channels of the training images as JSON {mean, std, images}, and return the counts of images.

    Args:
        package: the HDF5 file.
        split: the table of the experiment.
        channels: the file to write.
        threads: threads that decode.

    Raises:
        InputError: no training image can be read, or all have the same value in a channel.
    """
    rows = read_parquet(split, columns=["image_file", "role"])
    image_files = rows["image_file"].filter(pc.equal(rows["role"], "train")).to_pylist()
    images, progress = ImagePackage(package), Progress("measuring", len(image_files))
    total, used = np.zeros((CHANNELS, VALUES), np.int64), 0
    for counts in map_in_order(_histogram, (images.get(name) for name in image_files), threads):
        if counts is not None:
            total += counts
            used += 1
        progress.advance()
    if not used:
        raise InputError(f"{package}: none of {len(image_files)} training images of {split} can be read")
    if used < len(image_files):
        logger.warning("%d of %d training images cannot be read", len(image_files) - used, len(image_files))
    mean, std = channel_statistics(total)
    if not std.all():
        raise InputError(
            f"{package}: the {used} training images of {split} have one value in a whole channel; set "
            "classifier.backbones.….normalisation to unit"
        )
    write_json(channels, {"mean": mean.tolist(), "std": std.tolist(), "images": used})
    return {"in": len(image_files), "out": used, "skipped": len(image_files) - used}


def channel_statistics(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, of values from 0 to 1, of the channels with these histograms (channels, 256)."""
    values, pixels = np.arange(VALUES), counts.sum(axis=1)
    sums, squares = counts @ values, counts @ values**2
    mean = sums / pixels
    # Of whole numbers, without the loss of digits in a difference of large squares.
    variance = [int(n) * int(square) - int(one) ** 2 for n, square, one in zip(pixels, squares, sums, strict=True)]
    std = np.sqrt(np.array([value / int(n) ** 2 for value, n in zip(variance, pixels, strict=True)]))
    return np.round(mean / (VALUES - 1), DIGITS), np.round(std / (VALUES - 1), DIGITS)


def _histogram(data: bytes | None) -> np.ndarray | None:
    """How often each channel has each value, (3, 256); None for an image that is missing or cannot be read."""
    if data is None:
        return None
    try:
        return np.array(decode(data).histogram(), np.int64).reshape(CHANNELS, VALUES)
    except UnreadableImage:
        return None


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs = snakemake.input, snakemake.output
        record.images = measure_channels(inputs.package, inputs.split, outputs.channels, snakemake.threads)
