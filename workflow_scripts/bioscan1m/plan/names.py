"""Names in the config: they stand in paths beside the names of the run's own files, also where case does not count."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

# The keys of the config below which the user names things; the schema has the letters.
NAMED = (
    *("detector.checkpoints", "detector.image_sets", "splits.experiments"),
    *("classifier.backbones", "classifier.losses", "classifier.checkpoints", "inference.photographs"),
    *("entry.cropped", "entry.cropped_256"),
)
# By key: files and folders of the run that lie where a file or folder of this name would be.
RESERVED = {"splits.experiments": {"roles", "counts", "shortfalls"}, "classifier.backbones": {"detector"}}
# Of files of the run, beside which folders have names of the config.
OWN_SUFFIXES = {".hdf5", ".html", ".json", ".jsonl", ".parquet", ".part", ".png", ".svg", ".tsv", ".zip"}
LONGEST_NAME = 80  # letters, as in the schema; two of them and what the run adds are a file name of at most 255 bytes
LONGEST_JOINED = 2 * LONGEST_NAME
CHUNK_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_-]{{0,{LONGEST_NAME - 1}}}")
ALLOWED_IN_CHUNKS = f"letters, digits, _ and - are allowed, at most {LONGEST_NAME} and no - at the beginning"


def wrong_names(config: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the names of a config that has the form of the schema."""
    for key in NAMED:
        section, _, part = key.partition(".")
        names = list(config[section].get(part) or {})
        for name in names:
            if name.casefold() in RESERVED.get(key, ()):
                yield f"{key}.{name}: a file of the run has this name; choose another, as my_{name}"
            elif PurePath(name).suffix.lower() in OWN_SUFFIXES:
                yield f"{key}.{name}: it ends like a file of the run; choose a name without {PurePath(name).suffix}"
        for name, other in alike(names):
            yield f"{key}.{name}: its name differs from '{other}' in upper and lower case alone; rename it"
    yield from _wrong_training_sets(config["detector"])


def alike(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of names that are one on a file system without upper and lower case: the later one, and the first."""
    first: dict[str, str] = {}
    for name in names:
        if (other := first.setdefault(name.casefold(), name)) != name:
            yield name, other


def _wrong_training_sets(detector: dict[str, Any]) -> Iterator[str]:
    for name in detector["training_sets"]:
        if len(name) > LONGEST_JOINED:
            yield f"detector.training_sets: '{name}' has more than {LONGEST_JOINED} letters; shorten the image sets"
