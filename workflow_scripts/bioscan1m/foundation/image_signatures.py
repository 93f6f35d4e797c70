"""Formats by the first bytes of a file: those that Pillow does not read get a reason with a remedy."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

EXPORT = "export it as JPEG, PNG or TIFF"
# The brand of an ISO media file, from its ninth byte (ISO/IEC 14496-12, 4.3).
BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    b"crx ": "raw (Canon CR3)",
}
# First bytes -> format.
SIGNATURES = {
    b"II*\0\x10\0\0\0CR": "raw (Canon CR2)",
    b"FUJIFILMCCD-RAW": "raw (Fujifilm RAF)",
    b"IIRO": "raw (Olympus ORF)",
    b"IIU\0": "raw (Panasonic RW2)",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS": "Photoshop",
    b"%PDF": "PDF",
    b"<svg": "SVG",
    b"ZISRAWFILE": "Zeiss CZI",
    # What Pillow reads, unless it is cut off early, or a TIFF with values that it has no room for, such as 64 bits.
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "damaged or unusual TIFF"),
    b"\xff\xd8\xff": "damaged JPEG",
    b"\x89PNG": "damaged PNG",
    b"GIF8": "damaged GIF",
}
# JPEG: markers without a length, those that begin a scan and end the image (ISO/IEC 10918-1, B.1.1.3).
STANDALONE, SCAN, END = {0x01, *range(0xD0, 0xD9)}, 0xDA, b"\xff\xd9"


def describe_signature(data: bytes) -> str:
    """Why a file cannot be read that Pillow does not know, with what to do where its format has a name."""
    name = _format_of(data)
    if name is None:
        return f"not an image (begins with {data[:16]!r})"
    more = " or install pillow-heif" if name == "HEIC" and not _has_heic() else ""
    return f"{name} image, which cannot be read; {EXPORT}{more}"


def can_open_heic(data: bytes) -> bool:
    """Whether a file is HEIC and Pillow can read it, because pillow-heif is installed."""
    return _format_of(data) == "HEIC" and _has_heic()


def has_end_of_jpeg(data: bytes) -> bool:
    """Whether the mark of the end follows the first scan: inside of a scan it cannot occur by chance."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == SCAN:
            return data.rfind(END, place) >= 0  # from the back, where it stands in a sound file
        single = marker in STANDALONE or marker == 0xFF  # a fill byte may come before a marker
        place += (1 if marker == 0xFF else 2) if single else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return True  # damaged in another way, of which the decoder knows more


@cache
def _has_heic() -> bool:
    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
        return True
    return False


def _format_of(data: bytes) -> str | None:
    if data[4:8] == b"ftyp" and data[8:12] in BRANDS:
        return BRANDS[data[8:12]]
    return next((name for signature, name in SIGNATURES.items() if data.startswith(signature)), None)
