"""Decoding, resizing and encoding of photographs with Pillow; everything that can be wrong with one is named here."""

from __future__ import annotations

import io
import os
import time
from typing import BinaryIO

from PIL import Image

from bioscan1m.errors import UnreadableImage

# What photographs come as. Others stay closed: Pillow would hand an EPS file to Ghostscript.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF")
# An original has 6.2 million pixels; far beyond it lies a decompression bomb.
LARGEST_PIXELS = 200_000_000
# Of processor time, so that a busy machine makes no difference; the largest image takes 3. A small file can have
# thousands of progressive scans, each over all pixels.
LONGEST_SECONDS = 20.0
LEAST_BLOCK = 1024  # bytes of a read of pixels
# libjpeg writes no longer side.
LONGEST_JPEG_SIDE = 65_500
# The smallest and largest value of a 16-bit greyscale image map to 0 and 255.
SIXTEEN_BIT_MODES = ("I", "I;16", "I;16B", "I;16L")
# What turns an image upright, by the value of its EXIF orientation (tag 0x0112).
ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Pillow's own guard warns before it raises; the check in _open is the one that counts.
Image.MAX_IMAGE_PIXELS = None


def decode(data: bytes, shortest_side: int | None = None) -> Image.Image:
    """Decode to RGB, turned upright by its EXIF orientation.

    With `shortest_side` a JPEG is decoded at the smallest DCT scale (1/2, 1/4, 1/8) whose shorter side is not below
    that many pixels, several times faster than at full size. Raises UnreadableImage with the reason.
    """
    try:
        image = _open(data)
        if shortest_side is not None:
            image.draft("RGB", _draft_size(image.size, shortest_side))
        image.load()
        orientation = _orientation(image)
        return _to_rgb(image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image)
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:
        raise UnreadableImage(_reason(error, data)) from None


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, upright; of a JPEG from its header alone. Raises UnreadableImage."""
    image = _open(data)
    if image.format not in ("JPEG", "MPO"):  # formats differ in whether their size before decoding is upright
        return decode(data).size
    return image.size[::-1] if _orientation(image) in (5, 6, 7, 8) else image.size


def resize_shorter_side(image: Image.Image, side: int, full_size: tuple[int, int] | None = None) -> Image.Image:
    """Resize with antialiasing so that the shorter side has `side` pixels; the aspect ratio is kept (paper, A1.1).

    `full_size` is the width and height before a DCT-scaled decode, which rounds them. Raises UnreadableImage where the
    longer side would be too long for a JPEG.
    """
    width, height = full_size or image.size
    scale = side / min(width, height)
    size = max(side, round(width * scale)), max(side, round(height * scale))
    _require_jpeg_size(size)
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """JPEG bytes at Pillow's quality (1 to 95), without metadata. Raises UnreadableImage for a side too long for it."""
    _require_jpeg_size(image.size)
    with _file_in_memory() as file:
        image.save(file, "JPEG", quality=quality, comment=b"", xmp=b"")  # else Pillow copies those of the source
        file.seek(0)
        return file.read()


def _file_in_memory() -> BinaryIO:
    """Where the system has it, one with a descriptor: into any other Pillow encodes while no other thread can run.

    That takes 2.4 ms of a crop, so that any number of cores would make no more than some 400 crops a second.
    """
    return open(os.memfd_create("image"), "w+b") if hasattr(os, "memfd_create") else io.BytesIO()


class _TimedBytes(io.BytesIO):
    """The bytes of one image, as long as it does not take too long: Pillow decodes while it reads."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._end = time.thread_time() + LONGEST_SECONDS

    def read(self, size: int | None = -1) -> bytes:
        header = size is not None and 0 <= size < LEAST_BLOCK  # dozens of reads of a few bytes, which take no time
        if not header and time.thread_time() > self._end:
            raise UnreadableImage(f"took more than {LONGEST_SECONDS:.0f} s to decode")
        return super().read(size)


def _require_jpeg_size(size: tuple[int, int]) -> None:
    if max(size) > LONGEST_JPEG_SIDE:
        raise UnreadableImage(f"{size[0]}x{size[1]} pixels do not fit a JPEG, whose sides end at {LONGEST_JPEG_SIDE}")


def _open(data: bytes) -> Image.Image:
    if not data:
        raise UnreadableImage("empty file")
    try:
        image = Image.open(_TimedBytes(data), formats=FORMATS)
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything on damaged data
        raise UnreadableImage(_reason(error, data)) from None
    if image.width * image.height > LARGEST_PIXELS:
        raise UnreadableImage(f"image of {image.width}x{image.height} pixels, more than {LARGEST_PIXELS}")
    return image


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where the EXIF data are damaged, for the pixels are what counts."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:
        return 1


def _draft_size(size: tuple[int, int], shortest_side: int) -> tuple[int, int]:
    """The size to ask of Pillow's draft mode, which never goes below what is asked in both directions."""
    scale = min(1.0, shortest_side / min(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in SIXTEEN_BIT_MODES:
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba)
    return image if image.mode == "RGB" else image.convert("RGB")


def _reason(error: Exception, data: bytes) -> str:
    if "cannot identify image file" in str(error):
        return f"not an image (begins with {data[:16]!r})"
    return f"damaged image: {str(error) or type(error).__name__}"
