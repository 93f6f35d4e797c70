"""The records of jobs as files: each has a digest of its content, which an edit invalidates.

A record names inputs and outputs of its job, relative to the folder of the run. It is the last file that the job
writes.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bioscan1m.foundation.atomic import write_json

RECORDS = "results/provenance/records"  # their folder in that of the run
MOST_BYTES = 256 * 2**20  # of a record: that of a job with 100,000 inputs has 30 million
MOST_DEPTH = 100  # of nested parameters


class EditedRecordError(ValueError):
    """A record that was edited after its job wrote it."""


@dataclass(frozen=True)
class Record:
    """A record: its path relative to the run, the text of its file and the SHA-256 of that, and its content."""

    path: str
    text: str
    sha256: str
    content: dict[str, Any]

    @property
    def rule(self) -> str:
        """The rule that made the outputs."""
        return self.content["rule"]

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """What went in: path, bytes, sha256, since version 2 of the records also mtime_ns, perhaps ancient."""
        return self.content["inputs"]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """What came out, described as the inputs are."""
        return self.content["outputs"]

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the rule."""
        return self.content["parameters"]

    @property
    def ended(self) -> str:
        """When the job was done: UTC, ISO 8601; empty where the record has no time."""
        return self.content.get("ended", "")


Made = dict[str, tuple[Record, dict[str, Any]]]  # output -> the record that names it, and its entry there


def content_digest(content: dict[str, Any]) -> str:
    """SHA-256 of the content of a record, without its key `digest`; the layout of the file does not count."""
    rest = {key: value for key, value in content.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def write_record(path: str | Path, content: dict[str, Any]) -> None:
    """Write a record with its digest."""
    plain = json.loads(json.dumps(content))  # as it will be read: keys are text, tuples are lists
    write_json(path, plain | {"digest": content_digest(plain)})


def parse_record(path: str, data: bytes) -> Record:
    """A record from the bytes of its file; `path` is relative to the run.

    Raises EditedRecordError where its digest is that of another content, ValueError with the reason where it is no
    record.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"it has {len(data):,} bytes, and a record has at most {MOST_BYTES:,}")
    try:
        content = json.loads(data)
        _try_all_that_is_needed(content)
        digest = content_digest(content)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    except (RecursionError, MemoryError):
        raise ValueError("it is nested too deeply") from None
    described = (*content["inputs"], *content["outputs"])
    must_have_digest = any("mtime_ns" in file for file in described)  # older records have neither
    if (must_have_digest or "digest" in content) and content.get("digest") != digest:
        raise EditedRecordError("its digest is that of another content")
    return Record(path, data.decode(), hashlib.sha256(data).hexdigest(), content)


def record_bytes(path: str | Path) -> bytes:
    """The bytes of the file of a record. Raises ValueError where it is no plain file, or too large for a record."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no plain file")
    if status.st_size > MOST_BYTES:
        raise ValueError(f"it has {status.st_size:,} bytes, and a record has at most {MOST_BYTES:,}")
    return Path(path).read_bytes()


def read_record(path: str | Path) -> dict[str, Any]:
    """The content of a record, as it is."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def by_output(records: Iterable[Record]) -> Made:
    """Output -> the record that names it, and its entry there; of several records, the one that ended last."""
    ordered = sorted(records, key=lambda record: record.ended)
    return {file["path"]: (record, file) for record in ordered for file in record.outputs}


def _try_all_that_is_needed(content: dict[str, Any]) -> None:
    """Access all that other code needs of a record, so that a damaged one fails here, where the message names it."""
    if not isinstance(content["rule"], str):
        raise TypeError("the name of its rule is no text")
    content["code"].split(":"), content["parameters"].get("temporary"), [*content.get("unwatched", [])]
    for name in ("started", "ended"):
        if content.get(name):
            datetime.fromisoformat(content[name])
    (content.get("ledger") or "").strip()
    for file in (*content["inputs"], *content["outputs"]):
        file["sha256"].strip()
        if "\0" in os.fsdecode(os.fsencode(file["path"])):
            raise ValueError("a path has a zero byte")
        if not isinstance(file.get("mtime_ns", 0), int) or not isinstance(file.get("bytes", 0), int):
            raise TypeError(f"size or time of {file['path']} is no number")
    _refuse_depth(content["parameters"])


def _refuse_depth(value: Any) -> None:
    """Raise ValueError where values are nested more deeply than those of any config."""
    depth, level = 0, [value]
    while level:
        nested = (part.values() if isinstance(part, dict) else part for part in level if isinstance(part, (dict, list)))
        level = [part for parts in nested for part in parts]
        depth += 1
        if depth > MOST_DEPTH:
            raise ValueError(f"its parameters are nested more than {MOST_DEPTH} deep")
