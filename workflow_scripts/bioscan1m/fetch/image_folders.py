"""Folders of loose images, as users have them, become stored zips: the form in which the pipeline reads images."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.image_keys import THIS_FOLDER, clean_path, common_folder, in_folder, needed_key_folder
from bioscan1m.foundation.image_names import is_photograph
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.sources import Source, local_path, local_source

logger = logging.getLogger(__name__)

NAMED = 20  # files in one message


def list_images(folder: str | Path, first: str = "", before: str | None = None) -> list[str]:
    """Paths of all images at any depth of a folder, relative to it, with / between folders, sorted.

    Of a part of the folder only those from `first` on, up to but not `before`; None goes to the end.

    Files that are no photographs by their names are counted in the log, and so are links to folders, which are not
    followed. Raises InputError where there is no image, where a folder cannot be read or a link leads nowhere, where
    names are no text in UTF-8, as those from old disks, or where two files have one path once a backslash is read as
    the end of a folder's name, as it is in zips.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    files = _files(folder)
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
    part = [name for name in images if first <= name and (before is None or name < before)]
    if not part:
        end = "" if before is None else f", before '{before}'"
        raise InputError(f"{folder}: no image from '{first}' on{end}; correct the parts of this folder in the config")
    return part


def _files(folder: Path) -> list[str]:
    """Paths of all files at any depth, sorted. Raises InputError where some that may be photographs cannot be seen."""

    def refuse(error: OSError) -> None:
        name = Path(error.filename).relative_to(folder).as_posix()
        if is_photograph(f"{name}/image"):  # else a folder of the system, such as lost+found
            raise InputError(f"{folder}: the folder {name} cannot be read ({error.strerror}); change its rights")

    files: list[str] = []
    lost: list[str] = []
    linked: list[str] = []
    for root, folders, names in os.walk(folder, onerror=refuse):
        place = Path(root)
        inside = place.relative_to(folder)
        for name in names:
            (files if (place / name).is_file() else lost).append((inside / name).as_posix())
        linked += [(inside / name).as_posix() for name in folders if (place / name).is_symlink()]
    if lost := [name for name in lost if is_photograph(name) and not (folder / name).exists()]:
        named = ", ".join(sorted(lost)[:NAMED])
        raise InputError(f"{folder}: {len(lost)} links lead to no file: {named}; get their files, or remove the links")
    if linked:
        named = ", ".join(sorted(linked)[:NAMED])
        logger.warning("%s: links to folders are not followed: %s; name these folders", folder, named)
    return sorted(files)


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
        return {**source, "listing": listing_digest(path, **part_of_folder(source))}
    sizes = [Path(file).stat().st_size for file in local_source(source) if Path(file).is_file()]
    return {**source, **({"local_bytes": sizes[0]} if sizes else {})}


def part_of_folder(source: Source) -> dict[str, Any]:
    """The arguments `first` and `before` of list_images that a source has; none where it is a whole folder."""
    return {key: source[key] for key in ("first", "before") if key in source}


def listing_digest(folder: str | Path, first: str = "", before: str | None = None) -> str:
    """SHA-256 over names, sizes and times of change of the images that list_images lists; raises what that does."""
    digest = hashlib.sha256()
    for name in list_images(folder, first, before):
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
            archive.add_file(name, Path(folder) / name)
            progress.advance()


def _key_folder_of_zip(images: list[str], key_folder: str | None) -> str | None:
    """The key folder under which a zip of these images gives them keys by all of their paths."""
    if key_folder is None:
        return None
    paths = [clean_path(image) for image in images]
    return needed_key_folder(paths, in_folder(key_folder, common_folder(paths)) or THIS_FOLDER)
