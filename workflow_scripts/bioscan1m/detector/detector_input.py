"""What a detector sees of a photograph: the image scaled into the size of its input (paper, A7.1).

The aspect ratio is kept, so the corners of a box, as fractions of width and height, are the same in the photograph and
in the input. Pixels stay uint8 until they are on the device, which takes a quarter of the memory and of the traffic.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from bioscan1m.atomic import write_json
from bioscan1m.errors import InputError
from bioscan1m.images import decode, image_size

BYTES_PER_PIXEL = 4  # of Pillow's memory, of which RGB uses three
# Of ImageNet, with which DETR's backbone was pretrained.
CHANNEL_MEAN = (0.485, 0.456, 0.406)
CHANNEL_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessor:
    """How a photograph becomes the input of a detector; preprocessor.json holds just these values.

    `shortest_side` and `longest_side` are the largest in pixels; `mean` and `std` are of channel values from 0 to 1.
    Width and height of an input are multiples of `multiple`, which the real-time detectors need.
    """

    shortest_side: int
    longest_side: int
    mean: tuple[float, ...] = CHANNEL_MEAN
    std: tuple[float, ...] = CHANNEL_STD
    multiple: int = 1

    def with_size(self, image_size: dict[str, int] | None) -> Preprocessor:
        """The same with another `shortest_side` and `longest_side`; None changes nothing."""
        return replace(self, **(image_size or {}))

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """The largest width and height within the limits, in whole pixels, rounded down as in the original DETR.

        Rounded to the nearest multiple where there is one: then the aspect ratio changes a little, and boxes, which
        are fractions of the image, do not.
        """
        shorter, longer = sorted((width, height))
        if self.shortest_side * longer <= self.longest_side * shorter:
            limit, side = self.shortest_side, shorter
        else:
            limit, side = self.longest_side, longer
        return self.rounded(width * limit // side), self.rounded(height * limit // side)

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


def write_channels(path: str | Path, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Write the mean and standard deviation of channel values from 0 to 1 that a detector to fine-tune is used to."""
    write_json(path, {"mean": mean, "std": std})


def read_channels(path: str | Path) -> dict[str, tuple[float, ...]]:
    """`mean` and `std` as `write_channels` wrote them."""
    return {name: tuple(values) for name, values in json.loads(Path(path).read_text(encoding="utf-8")).items()}


def read_preprocessor(path: str | Path) -> Preprocessor:
    """Read preprocessor.json. Raises InputError where it is missing or has other keys."""
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        return Preprocessor(
            **{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        )
    except (OSError, json.JSONDecodeError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: no preprocessor of this pipeline ({error}); make the detector again") from None
