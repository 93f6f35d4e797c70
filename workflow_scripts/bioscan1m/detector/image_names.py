"""The member of a zip that an annotation's image name means, also where a label tool has changed the name.

Names as they are come first, then those that are left, as tools write them: Label Studio puts eight letters before
them, Roboflow a hash behind them, and both replace letters that addresses cannot hold.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote

from bioscan1m.detector.coco_files import GivenImage
from bioscan1m.detector.faults import Faults, some_of
from bioscan1m.foundation.archives import Member, list_members
from bioscan1m.foundation.image_keys import THIS_FOLDER, clean_path
from bioscan1m.foundation.name_matching import Spell, Step, any_case, match_names, without_suffix

logger = logging.getLogger(__name__)

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+")
QUERY = re.compile(r"\?[^?/=]+=.*$", re.DOTALL)
FRAGMENT = re.compile(r"#[^#/]*$")
# Before uploads, and before files that it fetched from a storage.
OF_LABEL_STUDIO = re.compile(r"(?:[0-9a-f]{8}-|[0-9a-f]{6,8}__)(.+)", re.DOTALL)
OF_ROBOFLOW = re.compile(r"(.+)_([A-Za-z0-9]+)\.rf\.[A-Za-z0-9_-]+\.[A-Za-z0-9]+", re.DOTALL)


def annotated_members(archive: str | Path) -> list[Member]:
    """The images of a zip: by file names, or by paths where a file name is there in several folders."""
    members = list_members(archive)
    if any(member.duplicate for member in members):
        members = list_members(archive, THIS_FOLDER)
    return [member for member in members if not member.duplicate]


def find_members(archive: str | Path, images: Sequence[GivenImage], faults: Faults) -> list[tuple[Member, GivenImage]]:
    """The zip's member of each annotated image, in the order of the zip. Members without annotations are left out.

    Images that the zip lacks are a fault. Raises InputError that names images of which one could be the other.
    """
    by_path = {clean_path(member.name): member for member in annotated_members(archive)}
    named = [(image.name, image) for image in images]
    originals = {image.name: image.original for image in images if image.original}
    remedy = "Is this the zip of these annotations?"
    found = match_names(archive, list(by_path), named, "annotated image", remedy, steps_of_label_tools(originals))
    if missing := sorted({image.name for image in images} - {image.name for image in found.values()}):
        faults.add(f"{archive} lacks {len(missing)} annotated images: {some_of(missing)}; add them to the zip")
    if left_out := [member.image_file for path, member in by_path.items() if path not in found]:
        logger.warning(
            "%s: %d images have no annotations and are left out: %s", archive, len(left_out), some_of(left_out)
        )
    return [(member, found[path]) for path, member in by_path.items() if path in found]


def steps_of_label_tools(originals: dict[str, str]) -> list[Step]:
    """The ways to compare names that label tools have changed, after all others.

    Args:
        originals: name in the annotations -> name of the image before it was uploaded, where the tool kept it.

    Returns:
        The steps for `match_names`.
    """
    spellings: tuple[tuple[str, Spell, Spell], ...] = (
        ("in addresses", clean_path, path_of_address),
        ("before Roboflow renamed them", clean_path, lambda name: originals.get(name, name)),
        ("as Label Studio writes them", _as_label_studio, _name_of_label_studio),
        ("as Roboflow writes them", _as_roboflow, _name_of_roboflow),
    )
    return [
        Step(f"by name {words}{how}", _then(image, spell), _then(row, spell), folders=folders)
        for words, image, row in spellings
        for folders in (True, False)
        for how, spell in (("", any_case), (" without suffix", without_suffix))
    ]


def path_of_address(name: str) -> str:
    """The path of a web or storage address, such as a signed one, without its query and with %20 as a space."""
    query = QUERY.search(name)
    if query and (local := parse_qs(query[0][1:]).get("d")):  # Label Studio's /data/local-files/?d=PATH
        return clean_path(local[0])
    path = QUERY.sub("", name)
    if ADDRESS.match(name):
        path = FRAGMENT.sub("", ADDRESS.sub("", path, count=1))
    return clean_path(unquote(path, errors="replace"))


def name_before_label_studio(name: str) -> str:
    """`photo.jpg` of `images/1/3f2a1b4c-photo.jpg`; other names as they are, without address."""
    path = path_of_address(name)
    found = OF_LABEL_STUDIO.fullmatch(path.rpartition("/")[2])
    return found[1] if found else path


def name_before_roboflow(name: str) -> str:
    """`train/photo.jpg` of `train/photo_jpg.rf.0a1b2c.jpg`; other names as they are, without address."""
    folder, slash, file = path_of_address(name).rpartition("/")
    found = OF_ROBOFLOW.fullmatch(file)
    return f"{folder}{slash}{found[1]}.{found[2]}" if found else f"{folder}{slash}{file}"


def _name_of_label_studio(name: str) -> str:
    return _as_label_studio(name_before_label_studio(name))


def _name_of_roboflow(name: str) -> str:
    return _as_roboflow(name_before_roboflow(name))


def _as_label_studio(path: str) -> str:
    """A path with the file name that Label Studio keeps: _ for spaces, and only letters, digits, hyphens and dots."""
    folder, slash, name = path.rpartition("/")
    return folder + slash + re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))


def _as_roboflow(path: str) -> str:
    """A path with the file name that Roboflow keeps: all but letters, digits and _ replaced by one -."""
    folder, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    return folder + slash + re.sub(r"[^\w]+", "-", stem, flags=re.ASCII) + dot + suffix


def _then(first: Spell, second: Spell) -> Spell:
    return lambda path: second(first(path))
