"""Files of several pages: which page is the photograph."""

from __future__ import annotations

from PIL import Image

from bioscan1m.foundation.errors import UnreadableImage

# TIFF 6.0, section 8: the kind of a page, and where further pages hang on it.
SUBFILE_TYPE, SUB_PAGES = 254, 330
REDUCED, MASK = 1, 4  # bits of SUBFILE_TYPE
MOST_PAGES = 1000
# A JPEG with further pictures (MPO) begins with the photograph; the others are previews or the second eye's.
FIRST_COUNTS = ("MPO",)


def choose_page(image: Image.Image, page: int | None = None) -> None:
    """Go to the page that is the photograph: the largest, reduced copies and masks aside.

    Args:
        image: opened, not loaded.
        page: the page that the config states, counted from 0; it is used where several pages are the largest.

    Raises:
        UnreadableImage: several pages are the largest and none is stated, or there are too many.
    """
    pages = 1 if image.format in FIRST_COUNTS else getattr(image, "n_frames", 1)
    if pages > MOST_PAGES:
        raise UnreadableImage(f"{pages} pages, more than {MOST_PAGES}")
    if pages == 1:
        _require_no_sub_pages(image)
        return
    sizes = {number: _pixels(image, number) for number in range(pages)}
    largest = [number for number, pixels in sizes.items() if pixels == max(sizes.values())]
    if len(largest) == 1:
        page = largest[0]
    elif page is None or page not in largest:
        kind = "z-stack" if image.format == "TIFF" else "animation"
        raise UnreadableImage(
            f"{kind} of {len(largest)} planes; export the one to use, or name it under images.page in the config"
        )
    image.seek(page)


def _pixels(image: Image.Image, number: int) -> int:
    """Pixels of a page; 0 for a reduced copy or a mask."""
    image.seek(number)
    kind = getattr(image, "tag_v2", {}).get(SUBFILE_TYPE, 0)
    return 0 if kind & (REDUCED | MASK) else image.width * image.height


def _require_no_sub_pages(image: Image.Image) -> None:
    """Raw files of cameras are TIFF files whose one page is a preview; the photograph hangs on it."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(SUBFILE_TYPE, 0) & REDUCED and SUB_PAGES in tags:
        raise UnreadableImage("a camera's raw file, of which only a preview can be read; export it as JPEG or TIFF")
