"""The code that Snakemake notes for each file that it made, which it compares with today's when it plans.

Snakemake keeps the parameters of a file's job in `.snakemake/metadata`, in a JSON file whose path is that of the output
in base 64, cut into folders whose names begin with @ where it is long (snakemake/persistence/file.py, record format 6).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bioscan1m.foundation.atomic import write_text
from bioscan1m.foundation.errors import InputError

FOLDER = ".snakemake"


class Note(NamedTuple):
    """What Snakemake notes of the job of one file: where, and the text."""

    file: Path
    text: str


def require_idle(run: Path) -> None:
    """Raise InputError where Snakemake is at work in a run, was killed there, or stores its notes elsewhere."""
    if any((run / FOLDER / "locks").glob("*")):
        raise InputError(
            f"{run}: locked by Snakemake; wait until it is done. If it was killed, run `snakemake --unlock --directory "
            f"{run}` first"
        )
    if not (run / FOLDER / "metadata").is_dir():
        raise InputError(f"{run}: no folder {FOLDER}/metadata, where Snakemake notes how it made each file")


def wrong_notes(run: Path, code_of: Mapping[str, str]) -> list[Note]:
    """The notes on files of a run that name other code than `code_of` (path -> digest), as they should be.

    A file of which Snakemake has no note needs none. Raises InputError where a note is not as Snakemake writes it.
    """
    notes = (_corrected(file, code_of[path]) for path, file in _notes(run / FOLDER / "metadata") if path in code_of)
    return [note for note in notes if note is not None]


def write_notes(notes: Iterable[Note]) -> None:
    """Put notes in the place of those that are there."""
    for note in notes:
        write_text(note.file, note.text)


def _notes(folder: Path) -> Iterator[tuple[str, Path]]:
    """The output that each note is on, relative to the run, and the note's file."""
    for note in sorted(folder.rglob("*")):
        if note.is_file():
            name = "".join(part.removeprefix("@") for part in note.relative_to(folder).parts)
            try:
                yield base64.b64decode(name, altchars=b"-_", validate=True).decode(), note
            except (binascii.Error, UnicodeDecodeError):
                continue  # left by something else


def _corrected(file: Path, code: str) -> Note | None:
    """A note with a digest in the place of another one of the same script; None where it has that already."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        params = list(content["params"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: not as Snakemake writes its notes ({type(error).__name__}: {error})") from None
    old = re.compile(rf"'{re.escape(code.partition(':')[0])}:[0-9a-f]{{16}}'")  # in its notes: Python's repr
    new = [repr(code) if isinstance(param, str) and old.fullmatch(param) else param for param in params]
    return None if new == params else Note(file, json.dumps(content | {"params": new}))
