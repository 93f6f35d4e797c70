"""Colours of other spaces, such as Adobe RGB, become sRGB by the ICC profile of the file."""

from __future__ import annotations

import io
import logging
from functools import lru_cache
from typing import cast

from PIL import Image, ImageCms

logger = logging.getLogger(__name__)

# The space of a profile (ICC.1:2022, table 19) -> the modes of Pillow whose values it describes.
MODES = {"RGB": ("RGB",), "CMYK": ("CMYK",), "GRAY": ("L",)}
PROFILES_AT_HAND = 16  # a folder has photographs of a few cameras
Transform = ImageCms.ImageCmsTransform


def to_srgb(image: Image.Image) -> Image.Image:
    """The image in sRGB where its ICC profile is of another space; the image itself where it has none or a damaged one.

    An image with transparency is left as it is: its colours are blended with white later.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    transform = _transform(bytes(profile), image.mode)
    return image if transform is None else cast(Image.Image, ImageCms.applyTransform(image, transform))


@lru_cache(PROFILES_AT_HAND)
def _transform(profile: bytes, mode: str) -> Transform | None:
    """From the profile to sRGB, mode RGB; None where nothing is to be done. A damaged profile is logged once."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if mode not in MODES.get(space, ()) or "sRGB" in (source.profile.profile_description or ""):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (OSError, ImageCms.PyCMSError, ValueError, TypeError) as error:
        logger.info("an ICC profile of %d bytes is damaged and ignored: %s", len(profile), error)
        return None
