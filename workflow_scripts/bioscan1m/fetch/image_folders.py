"""Folders of loose images, as users have them, become stored zips: the form in which the pipeline reads images."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.image_keys import THIS_FOLDER, clean_path, common_folder, in_folder, needed_key_folder
from bioscan1m.foundation.image_names import is_photograph
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.sources import Source, local_path, local_source

logger = logging.getLogger(__name__)

NAMED = 20  # files in one message


def list_images(folder: str | Path) -> list[str]:
    """Paths of all images at any depth of a folder, relative to it, with / between folders, sorted.

    Files that are no photographs by their names are counted in the log. Raises InputError where there is no image,
    where a folder cannot be read, where names are no text in UTF-8, as those from old disks, or where two files have
    one path once a backslash is read as the end of a folder's name, as it is in zips.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files = _files_below(folder)
    images = [name for name in files if is_photograph(name)]
    if not images:
        raise InputError(f"{folder}: no image in this folder; by their names none of its {len(files)} files is one")
    if len(files) > len(images):
        logger.info("%s: %d files are no photographs by their names and are left out", folder, len(files) - len(images))
    if other := [ascii(name) for name in images if not _is_text(name)]:
        raise InputError(
            f"{folder}: {len(other)} file names are not in UTF-8: {', '.join(other[:NAMED])}; rename them, as by "
            "convmv -f cp1252 -t utf8"
        )
    _refuse_equal_paths(folder, images)
    return images


def _files_below(folder: Path) -> list[str]:
    """The paths of all files, sorted. Links to folders, which may lead round in a circle, are named in the log."""

    def refuse(error: OSError) -> None:
        if is_photograph(f"{Path(error.filename).relative_to(folder)}/image.jpg"):  # not in lost+found and the like
            raise InputError(f"{error.filename}: cannot be read ({error.strerror}); change its rights, or move it away")

    files: list[Path] = []
    links: list[str] = []
    for place, folders, names in os.walk(folder, onerror=refuse):
        links += [str(path) for path in (Path(place, name) for name in folders) if path.is_symlink()]
        files += [path for path in (Path(place, name) for name in names) if path.is_file()]
    if links:
        logger.warning("%s: %d links to folders are not followed: %s", folder, len(links), ", ".join(links[:NAMED]))
    return sorted(path.relative_to(folder).as_posix() for path in files)


def _refuse_equal_paths(folder: Path, images: list[str]) -> None:
    first: dict[str, str] = {}
    equal = [(name, other) for name in images if (other := first.setdefault(clean_path(name), name)) != name]
    if equal:
        named = "; ".join(f"{other} and {name}" for name, other in equal[:NAMED])
        raise InputError(
            f"{folder}: {len(equal)} images have the path of another, for a backslash in a name ends that of a folder: "
            f"{named}; rename one of each"
        )


def _is_text(name: str) -> bool:
    """Whether a name has no byte that Python could not decode."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def with_local_state(source: Source) -> dict[str, object]:
    """A source with what it is on this machine now, so that a change is noticed, also one to an older file.

    A file has its size; a folder of images has a digest of the names, sizes and times of change of all images in it.
    """
    path = local_path(source["source"])
    if path is not None and path.is_dir():
        return {**source, "listing": listing_digest(path)}
    sizes = [Path(file).stat().st_size for file in local_source(source) if Path(file).is_file()]
    return {**source, **({"local_bytes": sizes[0]} if sizes else {})}


def listing_digest(folder: str | Path) -> str:
    """SHA-256 over the names, sizes and times of change of all images of a folder. Raises InputError as list_images."""
    digest = hashlib.sha256()
    for name in list_images(folder):
        status = (Path(folder) / name).stat()
        digest.update(f"{name}\t{status.st_size}\t{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def pack_images(folder: str | Path, images: list[str], path: str | Path, key_folder: str | None = None) -> None:
    """Write images of a folder to a zip, bytes unchanged; the same files give the same zip.

    Args:
        folder: The folder.
        images: Their paths relative to it, with / between folders.
        path: The zip to write; its members have these paths.
        key_folder: The folder below which the paths are the keys of the images, `.` where it has no name; None where
            their file names are.
    """
    progress = Progress(Path(path).name, len(images))
    with ZipWriter(path, _key_folder_of_zip(images, key_folder)) as archive:
        for name in images:
            archive.add(name, (Path(folder) / name).read_bytes())
            progress.advance()


def _key_folder_of_zip(images: list[str], key_folder: str | None) -> str | None:
    """The key folder under which a zip of these images gives them keys by all of their paths."""
    if key_folder is None:
        return None
    paths = [clean_path(image) for image in images]
    return needed_key_folder(paths, in_folder(key_folder, common_folder(paths)) or THIS_FOLDER)
