"""A user's own images become chunks: each zip is one, each folder one or more.

The key of an image is its path below the folder, or below the folder that all images of a zip share, so that equal file
names in different folders are different images. Where two places have equal paths, those of the later place lie below a
folder of its name; the keys of earlier places never change when one is added. A place that a run has already keeps the
folder of its keys, which chunks.tsv states, whatever images are added to others.
"""

from __future__ import annotations

import logging
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bioscan1m.fetch.image_folders import NAMED, list_images, pack_images
from bioscan1m.foundation.archives import list_members, stated_key_folder
from bioscan1m.foundation.digests import file_digest
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.image_keys import (
    LONGEST_KEY,
    THIS_FOLDER,
    clean_path,
    flatten_path,
    in_folder,
    needed_key_folder,
    path_of_key,
)
from bioscan1m.foundation.sources import Source, local_path
from bioscan1m.plan.manifest import read_manifest, write_manifest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageChunk:
    """A chunk to be: its name, the zip or folder that holds its images, and their paths in there.

    `paths` are those below the key folder, of which the keys are made. `is_whole` is False where the chunk is only a
    part of a folder.
    """

    name: str
    place: Path
    images: list[str]
    paths: list[str]
    key_folder: str | None
    is_whole: bool

    @property
    def keys(self) -> list[str]:
        """The image_file of each image."""
        return [flatten_path(path) for path in self.paths]


@dataclass(frozen=True)
class _Place:
    """A zip or folder with its images, their paths in it, and the folder below which the paths are keys."""

    path: Path
    images: list[str]
    paths: list[str]
    key_folder: str = THIS_FOLDER


def plan_chunks(
    places: list[Path], images_per_chunk: int, key_folders: Mapping[Path, str] | None = None
) -> list[ImageChunk]:
    """Number the chunks from 1 on in the order of the places; a folder of more images than asked for becomes several.

    Args:
        places: zips and folders.
        images_per_chunk: the most images of a chunk that is a folder or a part of one.
        key_folders: those of places that the run has already, by their resolved paths: they stay.

    Returns:
        The chunks.

    Raises:
        InputError: a place is neither a zip nor a folder, has no image, is given twice, or has paths that are too long
            for keys, or those of another place.
    """
    known = key_folders or {}
    read: dict[Path, _Place] = {}
    taken: dict[str, Path] = {}
    for path in places:
        if list(map(Path.resolve, places)).count(path.resolve()) > 1:
            raise InputError(f"{path}: given twice; name it once")
    for path in sorted(places, key=lambda path: path.resolve() not in known):  # those that the run has come first
        place = _read_place(path)
        stated = known.get(path.resolve())
        read[path] = _beside(place, taken) if stated is None else _as_before(place, stated, taken)
        taken |= dict.fromkeys(read[path].paths, path)
    _refuse_long_paths(set(taken))
    _warn_of_equal_files(set(taken))
    parts = (part for path in places for part in _parts(read[path], images_per_chunk))
    return [ImageChunk(str(number), *part) for number, part in enumerate(parts, 1)]


def known_key_folders(run: Path) -> dict[Path, str]:
    """The key folders of the places that the manifest of a run has, by their resolved paths; empty without one."""
    if not (run / "chunks.tsv").exists():
        return {}
    sources = read_manifest(run / "chunks.tsv").values()
    local = ((local_path(source["source"]), source.get("key_folder", THIS_FOLDER)) for source in sources)
    return {path.resolve(): folder for path, folder in local if path is not None and path.is_absolute()}


def write_own_manifest(chunks: list[ImageChunk], run: Path) -> None:
    """Write chunks.tsv to the run's folder, and to source/ in it the zips of those chunks that are parts of folders."""
    write_manifest(run / "chunks.tsv", {chunk.name: _facts(chunk, run) for chunk in chunks})


def _read_place(path: Path) -> _Place:
    if path.is_dir():
        images = list_images(path)
        return _Place(path, images, [clean_path(image) for image in images])
    key_folder = stated_key_folder(path) or THIS_FOLDER
    members = list_members(path, key_folder)
    if not members:
        raise InputError(f"{path}: no image in this zip")
    if again := [member.name for member in members if member.duplicate]:
        logger.warning("%s: %d members have the path of another, the first: %s; unused", path, len(again), again[0])
    members = [member for member in members if not member.duplicate]
    paths = [path_of_key(member.image_file) for member in members]
    return _Place(path, [member.name for member in members], paths, key_folder)


def _as_before(place: _Place, key_folder: str, taken: Mapping[str, Path]) -> _Place:
    """The place with its paths below the key folder that it has had. Raises InputError where others have equal ones."""
    own = place.key_folder
    if key_folder not in (own, THIS_FOLDER):
        folder = key_folder if own == THIS_FOLDER else key_folder.removesuffix(f"/{own}")
        place = _Place(place.path, place.images, [in_folder(folder, path) for path in place.paths], key_folder)
    if both := [(image, path) for image, path in zip(place.images, place.paths, strict=True) if path in taken]:
        image, path = both[0]
        raise InputError(
            f"{place.path}: {len(both)} images have the keys of images of other places, such as {image} that of one in "
            f"{taken[path]}; rename one of them (keys of a run stay, or images would lose their roles)"
        )
    return place


def _beside(place: _Place, taken: Mapping[str, Path]) -> _Place:
    """The place with its paths below a folder of its name, where others have equal ones; of its parents' names too."""
    if taken.keys().isdisjoint(place.paths):
        return place
    path = place.path.resolve()
    own = path.name if path.is_dir() else path.stem
    names = [part.lstrip(".").strip() for part in (*path.parent.parts[1:], own)]
    for start in reversed(range(len(names))):
        folder = "/".join(filter(None, names[start:]))
        paths = [in_folder(folder, image) for image in place.paths]
        if folder and taken.keys().isdisjoint(paths):
            logger.info("%s: an earlier place has equal paths; these images are named as in a folder %s", path, folder)
            key_folder = in_folder(folder, place.key_folder.removeprefix(THIS_FOLDER))
            return _Place(place.path, place.images, paths, key_folder)
    raise InputError(f"{place.path}: its images have the paths of earlier ones; rename the zip or folder")


def _refuse_long_paths(paths: set[str]) -> None:
    long = sorted(path for path in paths if len(flatten_path(path).encode()) > LONGEST_KEY)
    if long:
        raise InputError(
            f"{len(long)} paths of images are longer than {LONGEST_KEY} bytes: {', '.join(long[:NAMED])}; shorten the "
            "names of folders"
        )


def _warn_of_equal_files(paths: set[str]) -> None:
    """Keys that are one file name on Windows or macOS are different images here; unpacked there, one is lost."""
    alike = Counter(unicodedata.normalize("NFC", path).casefold() for path in paths)
    found = sorted(path for path in paths if alike[unicodedata.normalize("NFC", path).casefold()] > 1)
    if found:
        logger.warning(
            "%d images differ only in upper and lower case or Unicode form, such as %s; unpack zips of them on Linux",
            len(found),
            " and ".join(found[:2]),
        )


def _parts(place: _Place, images_per_chunk: int) -> Iterator[tuple[Path, list[str], list[str], str | None, bool]]:
    """Place, images, paths, key folder, and whether they are all of the place."""
    if not place.path.is_dir():
        named = place.key_folder != THIS_FOLDER
        key_folder = place.key_folder if named else needed_key_folder(place.paths, THIS_FOLDER)
        yield place.path, place.images, place.paths, key_folder, True
        return
    for start in range(0, len(place.images), images_per_chunk):
        part = slice(start, start + images_per_chunk)
        is_whole = len(place.images) <= images_per_chunk
        yield place.path, place.images[part], place.paths[part], place.key_folder, is_whole


def _facts(chunk: ImageChunk, run: Path) -> Source:
    """The chunk's row in the manifest.

    A whole folder is packed when it is fetched, so it has no checksum yet; a zip that is packed here states its key
    folder itself.
    """
    place = chunk.place.resolve()
    if not chunk.is_whole:
        path = run / f"source/part{chunk.name}.zip"
        logger.info("%s: a copy of a part of %s; call this again if images there change", path, place)
        pack_images(place, chunk.images, path, chunk.key_folder)
        return _facts_of_zip(path, str(path.relative_to(run)))
    facts: Source = {"source": str(place), "bytes": None, "checksum": None}
    if place.is_file():
        facts = _facts_of_zip(place, str(place))
    return facts if chunk.key_folder is None else {**facts, "key_folder": chunk.key_folder}


def _facts_of_zip(path: Path, source: str) -> Source:
    return {"source": source, "bytes": path.stat().st_size, "checksum": f"sha256:{file_digest(path)}"}
