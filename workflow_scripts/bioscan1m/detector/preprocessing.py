"""The input of a detector: the photograph, scaled to the size of the input (paper, A7.1).

The aspect ratio is kept, so the corners of a box, as fractions of width and height, are the same in the photograph and
in the input. Pixels stay uint8 until they are on the device, which takes a quarter of the memory and of the traffic.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.images import decode, image_size

BYTES_PER_PIXEL = 4  # of Pillow's memory, of which RGB uses three
# Of ImageNet, with which DETR's backbone was pretrained.
CHANNEL_MEAN = (0.485, 0.456, 0.406)
CHANNEL_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessor:
    """How a photograph becomes the input of a detector; preprocessor.json has exactly these values.

    `shortest_side` and `longest_side` are upper limits in pixels; `mean` and `std` are of channel values from 0 to 1.
    Width and height of an input are multiples of `multiple`, which the real-time detectors need.
    """

    shortest_side: int
    longest_side: int
    mean: tuple[float, ...] = CHANNEL_MEAN
    std: tuple[float, ...] = CHANNEL_STD
    multiple: int = 1

    def with_size(self, image_size: dict[str, int] | None) -> Preprocessor:
        """The same with another `shortest_side` and `longest_side`; None changes nothing."""
        return self if image_size is None else Preprocessor(**asdict(self) | image_size)

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """The largest width and height within the limits, in whole pixels, as the image processor of DETR has them.

        The longer side is rounded down, the shorter one to the nearest pixel. With `multiple` both are rounded to the
        nearest multiple: then the aspect ratio changes a little, and boxes, which are fractions of the image, do not.
        """
        shorter, longer = sorted((width, height))
        if self.shortest_side * longer <= self.longest_side * shorter:
            short, long = self.shortest_side, self.shortest_side * longer // shorter
        else:
            short, long = round(self.longest_side * shorter / longer), self.longest_side
        short, long = self.rounded(short), self.rounded(long)
        return (short, long) if width < height else (long, short)

    def rounded(self, side: float) -> int:
        """The nearest length in pixels that an input can have."""
        return max(1, round(side / self.multiple)) * self.multiple

    def prepare(self, data: bytes) -> PreparedImage:
        """Decode a file, a JPEG at the DCT scale that suffices, and resize it. Raises UnreadableImage."""
        width, height = image_size(data)
        size = self.input_size(width, height)
        return PreparedImage(resized(decode(data, min(size)), size), width, height)


@dataclass(frozen=True)
class PreparedImage:
    """An image in the size of the input: (3, h, w) uint8, and width and height of the photograph in pixels."""

    pixels: np.ndarray
    width: int
    height: int


def resized(image: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """Channels (3, h, w) uint8 of an image, resized to (w, h) with antialiasing."""
    return np.ascontiguousarray(_pixels(image.resize(size, Image.Resampling.BILINEAR)).transpose(2, 0, 1))


def _pixels(image: Image.Image) -> np.ndarray:
    """Pixels (h, w, 3) uint8 of an RGB image, in Pillow's own memory where Arrow can share it.

    `np.asarray` asks Pillow for a copy, and no other thread runs meanwhile (Image.tobytes, 4 ms for 800x1066): that is
    as long as it takes 16 threads to decode a photograph.
    """
    try:
        shared = pa.array(image)
    except ValueError:  # an image of more than 16 MB lies in several pieces
        return np.asarray(image)
    return shared.flatten().to_numpy().reshape(image.height, image.width, BYTES_PER_PIXEL)[..., :3]


def write_preprocessor(path: str | Path, preprocessor: Preprocessor) -> None:
    """Write preprocessor.json."""
    write_json(path, asdict(preprocessor))


def _read_values(path: str | Path) -> dict[str, Any]:
    """The values of a JSON object, lists as tuples."""
    values = json.loads(Path(path).read_text(encoding="utf-8"))
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def read_preprocessor(path: str | Path) -> Preprocessor:
    """Read preprocessor.json. Raises InputError where it is missing or has other keys."""
    try:
        return Preprocessor(**_read_values(path))
    except (OSError, json.JSONDecodeError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no preprocessor of this pipeline ({error}); make the detector again") from None
