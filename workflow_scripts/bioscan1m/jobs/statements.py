"""Lines of the ledger that are no record: decisions (acceptance.py), files that no job makes, and lines that were lost.

The config, the manifest and the report of a run are made by no job, so no record names them: each call of Snakemake
that made something leaves their SHA-256 in the ledger. Where lines of the ledger were lost for good, somebody has to
state so before it grows again, and that stays in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from bioscan1m.jobs.acceptance import Decision, parse_decision

OF_CALL, LOST = "files of a call", "lines were lost"
SETTING, REPORT = "setting", "report"  # what the files of a call are


@dataclass(frozen=True)
class CallFiles:
    """Files that no job made, at the end of a call: each with path, bytes, mtime_ns, sha256, and what it is as `is`."""

    files: tuple[dict[str, Any], ...]
    when: str
    kind: str = OF_CALL

    @property
    def text(self) -> str:
        """As it is sealed: JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True)
class Loss:
    """Lines of the ledger that are lost for good: the hashes by which they are known, who states it, when and why."""

    heads: tuple[str, ...]
    who: str
    when: str
    why: str
    kind: str = LOST

    @property
    def text(self) -> str:
        """As it is sealed: JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


Statement = Decision | CallFiles | Loss


def parse_statement(text: str) -> Statement:
    """A statement from its text. Raises ValueError, TypeError, KeyError or AttributeError where it is none."""
    content = json.loads(text)
    if content["kind"] == LOST:
        loss = Loss(**content | {"heads": tuple(content["heads"])})
        if not all(isinstance(value, str) for value in (*loss.heads, loss.who, loss.when, loss.why)):
            raise ValueError("a loss names hashes, persons, times and reasons as text")
        return loss
    if content["kind"] == OF_CALL:
        files = CallFiles(**content | {"files": tuple(content["files"])})
        for file in files.files:
            file["path"].strip(), file["sha256"].strip(), file["is"].strip(), int(file["bytes"]), int(file["mtime_ns"])
        return files
    return parse_decision(text)


def newest_files(statements: Iterable[Statement]) -> dict[str, dict[str, Any]]:
    """Path -> what the last call that named a file has of it. Settings count of the last call alone."""
    newest: dict[str, dict[str, Any]] = {}
    for statement in (one for one in statements if isinstance(one, CallFiles)):
        if any(file["is"] == SETTING for file in statement.files):
            newest = {path: file for path, file in newest.items() if file["is"] != SETTING}
        newest |= {file["path"]: file for file in statement.files}
    return newest
