"""Images of more than 8 bits become 8 bits: their true range, from the file or from its data, fills 0..255."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any, cast

import numpy as np
from PIL import Image

from bioscan1m.foundation.errors import UnreadableImage

logger = logging.getLogger(__name__)

# What Pillow opens as one channel of more than 8 bits.
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
# TIFF 6.0, sections 8 and 18: tags of a page.
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT, SMALLEST_SAMPLE, LARGEST_SAMPLE = 258, 262, 339, 340, 341
MIN_IS_WHITE = 0
UNSIGNED = 1
# Bits that a sensor digitises to; a file of 16 or 32 bits holds them without stretching them.
BITS_OF_SENSORS = (8, 10, 12, 14, 16)
UNKNOWN_RANGE = "range of a 32-bit image is unknown; state it under images.range in the config"
# Of 12 bits or fewer, the high bytes of 16 bits hold no more than this.
LARGEST_OF_LOST_BITS = 15

Range = tuple[float, float]


def to_eight_bits(image: Image.Image, stated: Range | None = None) -> Image.Image:
    """One channel of more than 8 bits as mode L: black and white of its range become 0 and 255.

    Args:
        image: loaded, of one of DEEP_MODES.
        stated: the range that the config states; it is used where the file itself names none.

    Raises:
        UnreadableImage: the range can be known neither from the tags nor from the values.
    """
    tags = getattr(image, "tag_v2", {})
    values = _values(image, tags)
    if not np.isfinite(values).all():
        raise UnreadableImage("values that are no finite numbers")
    low, high = _range_of_tags(tags) or stated or _range_of_values(values, image.mode == "F")
    scaled = (values - low) * (255 / (high - low))
    if tags.get(PHOTOMETRIC) == MIN_IS_WHITE:
        scaled = 255 - scaled
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


def has_deep_colours(image: Image.Image) -> bool:
    """Whether an image that is not loaded has several channels of 16 bits, of which Pillow reads the high bytes."""
    return len(image.getbands()) > 1 and any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))


def require_high_bytes(image: Image.Image) -> None:
    """Raise UnreadableImage for 16-bit colours that use 12 bits or fewer: their high bytes are nearly all 0."""
    colours = [image.getchannel(band) for band in image.getbands() if band != "A"]
    if max(cast(tuple[int, int], channel.getextrema())[1] for channel in colours) <= LARGEST_OF_LOST_BITS:
        raise UnreadableImage("16-bit colours that use 12 bits or fewer; export the image with 8 bits per channel")


def _values(image: Image.Image, tags: dict[int, object]) -> np.ndarray:
    """Pixels (h, w) float64; Pillow reads 32 bits without sign as numbers with one."""
    values = np.asarray(image)
    unsigned = tags.get(BITS_PER_SAMPLE) == (32,) and _first(tags.get(SAMPLE_FORMAT, UNSIGNED)) == UNSIGNED
    return (values.view(np.uint32) if image.mode == "I" and unsigned else values).astype(np.float64)


def _range_of_tags(tags: dict[int, object]) -> Range | None:
    """What SMinSampleValue and SMaxSampleValue say, or an unusual number of bits; None where neither is there."""
    if LARGEST_SAMPLE in tags:
        low, high = float(_first(tags.get(SMALLEST_SAMPLE, 0))), float(_first(tags[LARGEST_SAMPLE]))
        return (low, high) if high > low else None
    bits = _first(tags.get(BITS_PER_SAMPLE, 0))
    return (0, 2**bits - 1) if 8 < bits < 16 else None


def _range_of_values(values: np.ndarray, fractions: bool) -> Range:
    """0..1 for fractions, else from 0 to the largest number of the fewest bits of a sensor that hold all values."""
    low, high = float(values.min()), float(values.max())
    if low < 0:
        raise UnreadableImage(UNKNOWN_RANGE)
    if fractions and high <= 1:
        return 0, 1
    bits = next((bits for bits in BITS_OF_SENSORS if high < 2**bits), None)
    if bits is None:
        raise UnreadableImage(UNKNOWN_RANGE)
    _log_assumption(bits)
    return 0, 2**bits - 1


@cache
def _log_assumption(bits: int) -> None:
    """Once per process: a chunk may have thousands of such images."""
    logger.info("greyscale images without a stated range, all values below %d: read as %d bits", 2**bits, bits)


def _first(value: Any) -> float:
    return value[0] if isinstance(value, tuple) else value
