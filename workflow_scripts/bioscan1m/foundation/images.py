"""Decoding, resizing and encoding of photographs with Pillow; everything that can be wrong with one is named here."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image, JpegImagePlugin, PngImagePlugin

from bioscan1m.foundation.colour_profiles import to_srgb
from bioscan1m.foundation.errors import UnreadableImage
from bioscan1m.foundation.image_pages import choose_page
from bioscan1m.foundation.image_reading import stated
from bioscan1m.foundation.image_signatures import can_open_heic, describe_signature, has_end_of_jpeg
from bioscan1m.foundation.pixel_range import DEEP_MODES, has_deep_colours, require_high_bytes, to_eight_bits

# What photographs come as. Others stay closed: Pillow would hand an EPS file to Ghostscript.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF", "AVIF")
# An original has 6.2 million pixels; far beyond it lies a decompression bomb.
LARGEST_PIXELS = 200_000_000
# Larger images are decoded one at a time, whatever the number of threads: the largest takes 1.6 GB while it is decoded.
LARGE_PIXELS = 32_000_000
ROWS_AT_A_TIME = 256
_one_large_at_a_time = threading.Lock()
# Of processor time, so that a busy machine makes no difference; the largest image takes 3. A small file can have
# thousands of progressive scans, each over all pixels.
LONGEST_SECONDS = 20.0
LEAST_BLOCK = 1024  # bytes of a read of pixels
# libjpeg writes no longer side.
LONGEST_JPEG_SIDE = 65_500
JPEGS = ("JPEG", "MPO")
# What libjpeg draws where the data of a JPEG end or are zeros: grey rows, of which so many and this share of the height
# at its lower edge are no photograph.
GREY, GREY_ROWS, GREY_SHARE = range(127, 130), 8, 0.04
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
# Bytes of the texts and of the colour profile of a PNG. Pillow's limit of 1 MB refuses sound pictures of microscopes.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 64 * 2**20


@dataclass(frozen=True)
class Compression:
    """How a JPEG is compressed: at a quality of Pillow's scale, 1 to 95, or with tables and chroma of another one."""

    quality: int | None = None
    qtables: Sequence[Sequence[int]] | None = None  # 64 quantisation steps for each channel, or for the first ones
    subsampling: int | None = None  # Pillow's number of the chroma subsampling, -1 for its default
    optimize: bool = True  # with Huffman tables for this image, which take 7 % less at 256 pixels


def decode(data: bytes, shortest_side: int | None = None) -> Image.Image:
    """Decode to RGB in sRGB, 8 bits per channel, turned upright by its EXIF orientation.

    Args:
        data: the bytes of the file.
        shortest_side: in pixels; a JPEG is then decoded at the smallest DCT scale (1/2, 1/4, 1/8) whose shorter side is
            not below it, several times faster than at full size.

    Raises:
        UnreadableImage: with the reason.
    """
    try:
        image = _open(data)
        choose_page(image, stated().page)
        _require_size(image)
        if shortest_side is not None:
            image.draft("RGB", _draft_size(image.size, shortest_side))
        with _one_large_at_a_time if image.width * image.height > LARGE_PIXELS else nullcontext():
            return _decoded(image, data)
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:
        raise UnreadableImage(_reason(error, data)) from None


def _decoded(image: Image.Image, data: bytes) -> Image.Image:
    deep_colours = has_deep_colours(image)
    image.load()
    if deep_colours:
        require_high_bytes(image)
    _require_whole(image, data)
    orientation = _orientation(image)
    return _to_rgb(image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image)


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, upright; of a JPEG from its header alone. Raises UnreadableImage."""
    image = _open(data)
    if image.format not in JPEGS:  # formats differ in whether their size before decoding is upright
        return decode(data).size
    return image.size[::-1] if _orientation(image) in (5, 6, 7, 8) else image.size


def is_turned(data: bytes) -> bool:
    """Whether the EXIF orientation turns or mirrors the image, from its header. Raises UnreadableImage."""
    return _orientation(_open(data)) in UPRIGHT


def compression_of(data: bytes) -> Compression | None:
    """That of a JPEG, from its header; None for a file of another format. Raises UnreadableImage."""
    image = _open(data)
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return None
    numbers = [layer[3] for layer in image.layer[:3]]
    if not set(numbers) <= set(image.quantization):  # they come later in the file
        return None
    tables = [image.quantization[number] for number in numbers]
    while tables[1:] and tables[-1] == tables[-2]:  # the last one is also that of the channels after it
        tables.pop()
    return Compression(qtables=tables, subsampling=JpegImagePlugin.get_sampling(image))


def scaled_size(size: tuple[int, int], pixels: int, side: str = "shorter") -> tuple[int, int]:
    """The width and height of an image that is scaled so that one side has a length; the aspect ratio is kept.

    Args:
        size: width and height of the image.
        pixels: the length of the side.
        side: which one: shorter, longer, width or height.

    Returns:
        Width and height, each rounded to the nearest pixel.

    Raises:
        UnreadableImage: the longer side would be too long for a JPEG.
    """
    scale = pixels / {"shorter": min(size), "longer": max(size), "width": size[0], "height": size[1]}[side]
    width, height = (max(1, round(length * scale)) for length in size)
    _require_jpeg_size((width, height))
    return width, height


def resize_shorter_side(image: Image.Image, side: int) -> Image.Image:
    """Resize, bilinear with antialiasing, so that the shorter side has `side` pixels; the aspect ratio is kept.

    Raises UnreadableImage where the longer side would be too long for a JPEG.
    """
    size = scaled_size(image.size, side)
    return image if size == image.size else image.resize(size, Image.Resampling.BILINEAR)


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """JPEG bytes at Pillow's quality (1 to 95), without metadata. Raises UnreadableImage for a side too long for it."""
    return _encoded(image, {"quality": quality})


def encode_small_jpeg(image: Image.Image, compression: Compression) -> bytes:
    """JPEG bytes of a compression, without metadata.

    Raises UnreadableImage for a side too long for a JPEG.
    """
    options = {name: value for name, value in vars(compression).items() if value is not None}
    try:
        return _encoded(image, options)
    except OSError:  # Pillow has room for two bytes a pixel, and noise at the highest qualities takes more
        return _encoded(image, options | {"optimize": False})


def _encoded(image: Image.Image, options: dict[str, Any]) -> bytes:
    _require_jpeg_size(image.size)
    with _file_in_memory() as file:
        image.save(file, "JPEG", comment=b"", xmp=b"", **options)  # else Pillow copies those of the source
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
    formats = (*FORMATS, "HEIF") if can_open_heic(data) else FORMATS
    try:
        image = Image.open(_TimedBytes(data), formats=formats)
    except (UnreadableImage, MemoryError):
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything on damaged data
        raise UnreadableImage(_reason(error, data)) from None
    _require_size(image)
    return image


def _require_size(image: Image.Image) -> None:
    if image.width * image.height > LARGEST_PIXELS:
        raise UnreadableImage(f"image of {image.width}x{image.height} pixels, more than {LARGEST_PIXELS}")


def _require_whole(image: Image.Image, data: bytes) -> None:
    """Raise UnreadableImage where a JPEG ends early: libjpeg draws the rest grey, or from zeros, without an error."""
    if image.format not in JPEGS:
        return
    if not has_end_of_jpeg(data):
        raise UnreadableImage("truncated: the mark of its end is missing")
    rows = max(GREY_ROWS, round(image.height * GREY_SHARE))
    if image.height > rows:
        strip = image.crop((0, image.height - rows, image.width, image.height))
        if all(low in GREY and high in GREY for low, high in _extrema(strip)):
            raise UnreadableImage("truncated: grey rows at its lower edge, as where data are missing")


def _extrema(image: Image.Image) -> list[tuple[int, int]]:
    """Smallest and largest value of each channel."""
    found: Any = image.getextrema()  # one pair, or a pair for each channel
    return [found] if isinstance(found[0], int) else list(found)


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
    if image.mode in DEEP_MODES:
        image = to_eight_bits(image, stated().range)
    image = to_srgb(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """An image with transparent parts on white, some rows at a time: whole, it is in memory four times."""
    flat = Image.new("RGB", image.size)
    for top in range(0, image.height, ROWS_AT_A_TIME):
        rows = image.crop((0, top, image.width, min(top + ROWS_AT_A_TIME, image.height))).convert("RGBA")
        white = Image.new("RGBA", rows.size, "white")
        flat.paste(Image.alpha_composite(white, rows).convert("RGB"), (0, top))
    return flat


def _reason(error: Exception, data: bytes) -> str:
    if "cannot identify image file" in str(error):
        return describe_signature(data)
    return f"damaged image: {str(error) or type(error).__name__}"
