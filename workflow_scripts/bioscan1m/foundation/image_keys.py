"""The key of an image, its `image_file`: the name under which packages, tables and zips of the results have it.

The key of a published image is its file name. Of a user's own images the key is the path, in which `~` stands for `/`,
so that `Apidae/IMG_0001.JPG` and `Formicidae/IMG_0001.JPG` are two images in HDF5, zip and TSV. `path_of_key` gives the
path back. What a key may not have otherwise is written as %XX, as in addresses: `~`, backslashes, control characters,
and a % before two hexadecimal digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from posixpath import commonpath, dirname
from urllib.parse import unquote

SEPARATOR = "~"
KEY_FOLDER = "key_folder"  # its name in chunks.tsv and in the comment of a zip
THIS_FOLDER = "."  # as a key folder: the path alone
ESCAPED = re.compile(r"[~\\\x00-\x1f\x7f]|%(?=[0-9A-Fa-f]{2})")
ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
LONGEST_KEY = 255  # bytes: NAME_MAX of the file systems of Linux


def flatten_path(path: str) -> str:
    """The key of a path with / between folders. File names without the characters above are their own keys."""
    parts = (ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", part) for part in path.split("/"))
    return SEPARATOR.join(parts)


def path_of_key(key: str) -> str:
    """The path that `flatten_path` made a key of."""
    parts = key.split(SEPARATOR)
    return "/".join(ESCAPE.sub(lambda found: unquote(found[0], encoding="latin-1"), part) for part in parts)


def clean_path(path: str) -> str:
    """A path in a zip, as any program writes it, relative and with / between folders: without `..` and drives."""
    parts = re.sub(r"^[A-Za-z]:(?=[\\/])", "", path).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))


def common_folder(paths: Iterable[str]) -> str:
    """The folder in which all files of these paths lie, at whatever depth; empty where there is none."""
    return commonpath(folders) if all(folders := {dirname(path) for path in paths}) and folders else ""


def image_keys(paths: Sequence[str], key_folder: str | None) -> list[str]:
    """The keys of the images of a zip.

    Args:
        paths: their clean paths.
        key_folder: None where file names are the keys. Else the folder below which the keys lie, `.` where it has no
            name: the folder that all images share is no part of a key.

    Returns:
        A key for each path.
    """
    if key_folder is None:
        return [path.rpartition("/")[2] for path in paths]
    shared = common_folder(paths)
    return [flatten_path(in_folder(key_folder, path[len(shared) :].lstrip("/"))) for path in paths]


def needed_key_folder(paths: Sequence[str], key_folder: str | None) -> str | None:
    """The key folder of the images of a zip; None where file names are the same keys."""
    return None if image_keys(paths, key_folder) == image_keys(paths, None) else key_folder


def in_folder(folder: str, path: str) -> str:
    """The path below a folder, which is `.` where it has no name."""
    return path if folder == THIS_FOLDER else f"{folder}/{path}" if path else folder
