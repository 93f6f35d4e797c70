"""Labels in doubt: names of one column that may be one class written in two ways, or no label at all.

They are listed for a person to judge; nothing is merged. The config maps names (key `labels.map`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, takewhile

from bioscan1m.metadata.table import NOT_CLASSIFIED

# A name with so few images may be another with a slip of a letter; short names differ in one anyhow, long ones are
# sequences.
FEW_IMAGES = 5
SHORTEST_SLIP, LONGEST_SLIP = 5, 80
SHORTEST_WORD = 3  # "sp. A" and "sp. B" are two species
NO_LABEL = {
    *("na", "n/a", "n.a.", "nan", "none", "null", "nil", "inf", "missing", "no data", "tbd"),
    *("unknown", "unidentified", "undetermined", "unclassified", "not classified", "not_classified", "indet", "indet."),
    *("not determined", "not identified", "#n/a", "#na", "#name?", "#null!", "#ref!", "#value!"),
}
INVISIBLE = dict.fromkeys((0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))  # soft hyphen, joiners, byte order mark
# How the literature marks a name as not certain: `Apidae?`, `Apis cf. mellifera`, `Apis aff. mellifera`.
UNCERTAIN = re.compile(r"\s*\?+|\b(?:cf|aff)\b\.?\s*", re.IGNORECASE)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Suspicion:
    """A name with its images, the name with more images that it resembles, and in what they differ."""

    name: str
    images: int
    resembles: str
    its_images: int
    reason: str


def find_suspicions(images: Mapping[str, int]) -> list[Suspicion]:
    """The labels in doubt of one column, sorted by name.

    Args:
        images: the number of images of each name of the column.

    Returns:
        At most one suspicion for each name: the first that holds of no label, broken letters, an uncertain
        identification, a way of writing, and a letter.
    """
    names = {name: count for name, count in images.items() if name and name != NOT_CLASSIFIED}
    found: dict[str, Suspicion] = {}
    for suspicion in (*_no_labels(names, images.get(NOT_CLASSIFIED, 0)), *_same_names(names), *_slips(names)):
        found.setdefault(suspicion.name, suspicion)
    return [found[name] for name in sorted(found)]


def _no_labels(names: Mapping[str, int], not_classified: int) -> Iterator[Suspicion]:
    """Names that may stand for no label, have letters that a wrong encoding has broken, or are marked as uncertain."""
    for name, images in names.items():
        if _any_case(name) in NO_LABEL or not any(map(str.isalnum, name)):
            yield Suspicion(name, images, NOT_CLASSIFIED, not_classified, "may stand for no label")
        elif (mended := _mended(name)) is not None:
            yield Suspicion(name, images, mended, names.get(mended, 0), "letters of a wrong encoding")
        elif (certain := UNCERTAIN.sub("", name).strip()) != name.strip():
            yield Suspicion(name, images, certain, names.get(certain, 0), "an uncertain identification")


def _mended(name: str) -> str | None:
    """The name with the letters that it had before UTF-8 was read as another encoding; None where it was not."""
    if "\ufffd" in name:
        return ""
    try:
        return None if name.isascii() else name.encode("cp1252").decode()
    except UnicodeError:
        return None


def _one_space(name: str) -> str:
    return " ".join(name.translate(INVISIBLE).split())


def _compatible(name: str) -> str:
    return unicodedata.normalize("NFKC", _one_space(name))


def _any_case(name: str) -> str:
    return _compatible(name).casefold()


def _words_alone(name: str) -> str:
    return " ".join(re.split(r"[\s_.,:;/-]+", _any_case(name))).strip()


def _as_number(name: str) -> str:
    one = _one_space(name)
    return repr(float(one)) if NUMBER.fullmatch(one) else f"no number: {name}"


# What two names have in common, from strict to lenient, and in what they then differ.
WAYS_OF_WRITING: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("white space", _one_space),
    ("Unicode form", _compatible),
    ("upper and lower case", _any_case),
    ("the same number", _as_number),
    ("separators", _words_alone),
)


def _same_names(names: Mapping[str, int]) -> Iterator[Suspicion]:
    """Names that are written in two ways, beside the one of them with most images."""
    for reason, key in WAYS_OF_WRITING:
        groups: dict[str, list[str]] = defaultdict(list)
        for name in names:
            groups[key(name)].append(name)
        for group in groups.values():
            most = _most_images(group, names)
            for name in group:
                if name != most:
                    yield Suspicion(name, names[name], most, names[most], reason)


def _slips(names: Mapping[str, int]) -> Iterator[Suspicion]:
    """Rare names that differ in one letter from one with more images, or in two neighbours that changed places.

    Two such names have a string in common that is one of them without one letter, so that only those are compared that
    share such a string: ten thousand names take a second. Names with digits are codes, which differ in a letter anyhow.
    """
    sharing: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if SHORTEST_SLIP <= len(name) <= LONGEST_SLIP and not any(map(str.isdigit, name)):
            for shorter in _without_a_letter(name):
                sharing[shorter].append(name)
    nearest: dict[str, list[str]] = defaultdict(list)
    for group in sharing.values():
        for pair in combinations(group, 2):
            more = _most_images(pair, names)
            (rare,) = (name for name in pair if name != more)
            if names[rare] <= FEW_IMAGES and _is_slip(rare, more):
                nearest[rare].append(more)
    for rare, like in nearest.items():
        more = _most_images(like, names)
        yield Suspicion(rare, names[rare], more, names[more], "one letter")


def _without_a_letter(name: str) -> set[str]:
    """The name, and what is left of it without one of its letters."""
    return {name, *(name[:at] + name[at + 1 :] for at in range(len(name)))}


def _is_slip(one: str, other: str) -> bool:
    """Whether two names differ in one letter of a word, or in the order of two."""
    start = _letters_in_common(one, other)
    rest = one[start:], other[start:]
    end = _letters_in_common(rest[0][::-1], rest[1][::-1])
    differing = [part[: len(part) - end] for part in rest]
    if max(map(len, differing)) > 1 and not (len(differing[0]) == 2 and differing[0] == differing[1][::-1]):
        return False
    return min(map(len, _words_at(one, other, start))) >= SHORTEST_WORD


def _letters_in_common(one: str, other: str) -> int:
    """So many letters at the start of both are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _words_at(one: str, other: str, place: int) -> tuple[str, str]:
    """The words of two names in which they differ from a place on."""
    before = re.split(r"[\W_]", one[:place])[-1]
    first, second = (before + re.split(r"[\W_]", name[place:])[0] for name in (one, other))
    return first, second


def _most_images(group: Iterable[str], names: Mapping[str, int]) -> str:
    """The name with most images; of several, the first by the alphabet."""
    return min(group, key=lambda name: (-names[name], name))
