"""The records of jobs as files: each has a digest of its content, which an edit invalidates.

A record names inputs and outputs of its job, relative to the folder of the run. It is the last file that the job
writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioscan1m.foundation.atomic import write_json

RECORDS = "results/provenance/records"  # their folder in that of the run


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
    try:
        content = json.loads(data)
        _try_all_that_is_needed(content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    described = (*content["inputs"], *content["outputs"])
    must_have_digest = any("mtime_ns" in file for file in described)  # older records have neither
    if (must_have_digest or "digest" in content) and content.get("digest") != content_digest(content):
        raise EditedRecordError("its digest is that of another content")
    return Record(path, data.decode(), hashlib.sha256(data).hexdigest(), content)


def by_output(records: Iterable[Record]) -> Made:
    """Output -> the record that names it, and its entry there; of several records, the one that ended last."""
    ordered = sorted(records, key=lambda record: record.ended)
    return {file["path"]: (record, file) for record in ordered for file in record.outputs}


def _try_all_that_is_needed(content: dict[str, Any]) -> None:
    """Access all that other code needs of a record, so that a damaged one fails here, where the message names it."""
    str(content["rule"]), content["code"].split(":"), content["parameters"].get("temporary")
    content.get("ended", "").strip(), content.get("started", "").strip()
    for file in (*content["inputs"], *content["outputs"]):
        Path(file["path"]), file["sha256"].strip(), file.get("mtime_ns")
