"""Which job made a file: its record, found without reading all records of the run.

A run of 1,000 chunks has 10,000 records, and each job looks for those of its inputs. The path of a record has the
wildcards of its rule, as the paths of the outputs have them: `crop_chunk/part7.json` can only name files with `part7`
in their path. A folder with one record is that of a rule without wildcards. What no such record names is looked for in
all.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import suppress

from bioscan1m.jobs.records import RECORDS, Made, Record, by_output, parse_record, record_bytes

PATH_IN_RECORD = re.compile(rb'"path"\s*:\s*("(?:[^"\\]|\\.)*")')


def producers(paths: Collection[str]) -> Made:
    """The newest record that names each file as an output; a file that no readable record names is not in the result.

    Args:
        paths: files relative to the run, which is the working directory.
    """
    wanted = {path for path in paths if not path.startswith(f"{RECORDS}/")}  # a record has a digest in itself
    if not wanted:
        return {}
    names = list(_names_of_records())
    likely = _likely(names, wanted)
    found = _named_in(likely, wanted)
    unnamed = wanted - found.keys()
    if unnamed:
        found |= _named_in(set(names) - set(likely), unnamed)
    return found


def _names_of_records() -> Iterator[tuple[str, bool]]:
    """The path of each record, and whether it is alone in the folder of its rule."""
    of_rules: dict[str, list[str]] = defaultdict(list)
    for folder, _, files in os.walk(RECORDS):
        rule = folder.removeprefix(f"{RECORDS}/").partition("/")[0]
        of_rules[rule] += [f"{folder}/{name}" for name in files if name.endswith(".json")]
    for names in of_rules.values():
        yield from ((name, len(names) == 1) for name in names)


def _likely(names: list[tuple[str, bool]], paths: set[str]) -> list[tuple[str, bool]]:
    text = "\n".join(paths)
    start = RECORDS.count("/") + 2
    return [
        (name, alone)
        for name, alone in names
        if alone or all(part in text for part in name.removesuffix(".json").split("/")[start:])
    ]


def _named_in(names: Collection[tuple[str, bool]], paths: set[str]) -> Made:
    records = [record for name, _ in names if (record := _record_naming(name, paths)) is not None]
    return {path: made for path, made in by_output(records).items() if path in paths}


def _record_naming(name: str, paths: set[str]) -> Record | None:
    """The record of this path, if one of the files is an output in it."""
    with suppress(OSError, ValueError, RecursionError):  # its job may be writing it, or it is damaged
        data = record_bytes(name)
        outputs = data[max(data.find(b'"outputs"'), 0) :]
        if any(json.loads(path) in paths for path in PATH_IN_RECORD.findall(outputs)):
            return parse_record(name, data)
    return None
