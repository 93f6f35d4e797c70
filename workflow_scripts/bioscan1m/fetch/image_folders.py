"""Folders of loose images, as users have them, become stored zips: the form in which the pipeline reads images."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from pathlib import Path, PurePath

from bioscan1m.archives import ZipWriter
from bioscan1m.errors import InputError
from bioscan1m.progress import Progress

logger = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")


def is_image_name(name: str | PurePath) -> bool:
    """Whether a file is an image by its suffix."""
    return PurePath(name).suffix.lower() in IMAGE_SUFFIXES


def list_images(folder: str | Path) -> list[str]:
    """Paths of all images at any depth of a folder, relative to it, with / between folders, sorted.

    Other files are counted in the log; hidden files and folders are passed over. Raises InputError where there is no
    image, or two of the same name in different folders: an image is known by its name without folders.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    files = sorted(path.as_posix() for path in paths if not any(part.startswith(".") for part in path.parts))
    images = [name for name in files if is_image_name(name)]
    if not images:
        raise InputError(f"{folder}: no image in this folder; looked for {' '.join(IMAGE_SUFFIXES)}")
    if len(files) > len(images):
        logger.info("%s: %d files are no images by their suffix and are left out", folder, len(files) - len(images))
    check_unique_names(f"{folder}/{name}" for name in images)
    return images


def listing_digest(folder: str | Path) -> str:
    """SHA-256 over the names, sizes and times of change of all images of a folder. Raises InputError as list_images."""
    digest = hashlib.sha256()
    for name in list_images(folder):
        status = (Path(folder) / name).stat()
        digest.update(f"{name}\t{status.st_size}\t{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def check_unique_names(paths: Iterable[str]) -> None:
    """Raise InputError that names both paths where two have the same last part."""
    seen: dict[str, str] = {}
    for path in paths:
        name = PurePath(path).name
        if name in seen:
            raise InputError(f"two images have the same name: {seen[name]} and {path}; rename one or leave one out")
        seen[name] = path


def pack_images(folder: str | Path, images: list[str], path: str | Path) -> None:
    """Write images of a folder, given as paths relative to it, to a zip, bytes unchanged; same files, same zip."""
    progress = Progress(Path(path).name, len(images))
    with ZipWriter(path) as archive:
        for name in images:
            archive.add(name, (Path(folder) / name).read_bytes())
            progress.advance()
