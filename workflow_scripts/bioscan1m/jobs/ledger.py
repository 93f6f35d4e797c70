"""The ledger: a copy of every record that ever stood, in a chain of hashes, so that history can neither change nor end.

Records are overwritten when a job runs again and can be lost; what was sealed stays. Each line is JSON: the record's
path and SHA-256, its text, when it was sealed, the hash of the line before, and the hash of all of these. A changed,
lost or moved line no longer fits its neighbours. The hash of the last line is the head. How far the chain went stands
in two small files beside it: the output of the rule that seals, and one that Snakemake does not remove. Each record
notes the head that its job began with, which orders jobs where clocks do not, and shows where lines are lost together
with both files. A line may also be a statement (statements.py). Whoever wants to be sure of the writer too signs the
ledger (signatures.py); sealing.py adds to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bioscan1m.jobs.acceptance import Decision, accepted_by
from bioscan1m.jobs.records import Record, parse_record
from bioscan1m.jobs.statements import Loss, Statement, newest_files, parse_statement

LEDGER, HEAD = "results/provenance/ledger.jsonl", "results/provenance/ledger.json"  # in the folder of a run
KEPT_HEAD = "results/provenance/ledger.head"
FIRST = "0" * 64  # what stands for the line before the first


@dataclass(frozen=True)
class Entry:
    """One line: `content` is the text of the record, `sha256` that of its bytes.

    Of a statement `record` is empty.
    """

    record: str
    sha256: str
    sealed: str
    content: str
    previous: str
    hash: str

    def parsed(self) -> Record:
        """The record that was sealed."""
        return self._record

    @cached_property
    def _record(self) -> Record:
        return parse_record(self.record, self.content.encode())

    def statement(self) -> Statement:
        """What is stated of a run, in place of a record."""
        return parse_statement(self.content)


class Ledger:
    """The lines of a ledger that can be trusted, and what is wrong with the others.

    `records` are those that seal a record, `decisions` those on results of earlier code; `accepted` follows from these.
    """

    def __init__(self, entries: list[Entry], faults: list[str]) -> None:
        self.entries = entries
        self.faults = faults
        self.records = [entry for entry in entries if entry.record]
        self.newest = {entry.record: entry for entry in self.records}
        self.places = {(entry.record, entry.sha256): entry for entry in self.records}
        statements = [entry.statement() for entry in entries if not entry.record]
        self.decisions = [statement for statement in statements if isinstance(statement, Decision)]
        self.losses = [statement for statement in statements if isinstance(statement, Loss)]
        self.call_files = newest_files(statements)
        self.accepted = accepted_by(self.decisions)
        self.numbers = {entry.hash: number for number, entry in enumerate(entries, 1)} | {FIRST: 0}
        self._makers: dict[tuple[str, str], Entry] | None = None

    @property
    def head(self) -> dict[str, Any]:
        """How far the chain goes: the number of its lines and the hash of the last one."""
        return {"entries": len(self.entries), "hash": self.entries[-1].hash if self.entries else FIRST}

    def acceptance_of(self, record: Record, today: str) -> Decision | None:
        """By which decision the results of a job are accepted for today's code of its rule; not if it ran later."""
        decision = self.accepted.get((record.rule, record.content["code"], today))
        return decision if decision is not None and record.ended <= decision.when else None

    def maker_of(self, path: str, sha256: str) -> Entry | None:
        """The last sealed record that names a file with these bytes as an output."""
        if self._makers is None:
            self._makers = {
                (file["path"], file["sha256"]): entry for entry in self.records for file in entry.parsed().outputs
            }
        return self._makers.get((path, sha256))

    def lost_heads(self, records: Iterable[Record]) -> dict[str, Record]:
        """Heads that records name and that no line has, each with one of these records; stated losses are left out."""
        stated = {head for loss in self.losses for head in loss.heads}
        named = ((record.content.get("ledger"), record) for record in records)
        return {head: record for head, record in named if head and head not in self.numbers and head not in stated}


def read_ledger(path: str | Path, head: str | Path | None = None) -> Ledger:
    """Read a ledger, and check its chain, and its length by the files beside it; a missing file is empty.

    `head` is the output of the rule that seals.
    """
    ledger = read_chain(path)
    for place in (head, kept_head_of(path)):
        if place is not None and Path(place).is_file():
            ledger.faults += [fault for fault in _faults_of_head(ledger, Path(place)) if fault not in ledger.faults]
    return ledger


def read_chain(path: str | Path) -> Ledger:
    """Read a ledger and check how its lines follow each other, not whether its end is there."""
    entries: list[Entry] = []
    faults: list[str] = []
    previous: str | None = FIRST
    for number, line in enumerate(_lines(path), 1):
        try:
            entry = Entry(**json.loads(line))
            if not all(isinstance(value, str) for value in asdict(entry).values()):
                raise ValueError("not all of it is text")
            entry.parsed() if entry.record else entry.statement()
            right = entry.hash == hash_of(asdict(entry)) and entry.sha256 == _digest(entry.content)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            faults.append(f"line {number} is no entry ({error})")
            previous = None
            continue
        if not right:
            faults.append(f"line {number} ({entry.record}) was changed: its hash is another one")
        elif previous is not None and entry.previous != previous:
            faults.append(f"line {number} ({entry.record}) does not follow the line before it")
        entries.append(entry)
        previous = entry.hash
    return Ledger(entries, faults)


def kept_head_of(path: str | Path) -> Path:
    """The file with the head of a ledger that no call of Snakemake removes."""
    return Path(path).with_name(Path(KEPT_HEAD).name)


def head_hash(run: str | Path) -> str | None:
    """The head as a file beside the ledger has it; None where there is none, or no readable one."""
    return next(iter(noted_heads(run)), None)


def noted_heads(run: str | Path) -> list[str]:
    """The heads that the files beside the ledger have, the newest first; they can differ while a call is at work."""
    heads = []
    for place in (KEPT_HEAD, HEAD):
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            heads.append(str(json.loads((Path(run) / place).read_bytes())["hash"]))
    return heads


def is_new(record: Record, ledger: Ledger) -> bool:
    """Whether a record is of a job that ran after what was sealed under its path.

    It did if it knew of a ledger with that in it, be its clock right or wrong; where it knew none, its clock decides.
    """
    sealed = ledger.newest.get(record.path)
    if sealed is None or (record.path, record.sha256) in ledger.places:
        return sealed is None
    known = ledger.numbers.get(record.content.get("ledger", ""))
    return record.ended > sealed.parsed().ended if known is None else known >= ledger.numbers[sealed.hash]


def entry_of(record: str, text: str, time: str, previous: str) -> Entry:
    """The line for a record, or for a statement, after a line with the hash `previous`."""
    entry = {
        "record": record,
        "sha256": _digest(text),
        "sealed": time,
        "content": text,
        "previous": previous,
    }
    return Entry(**entry, hash=hash_of(entry))


def hash_of(entry: dict[str, Any]) -> str:
    """The hash of a line: SHA-256 of all else in it."""
    rest = {key: value for key, value in entry.items() if key != "hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _lines(path: str | Path) -> list[bytes]:
    return Path(path).read_bytes().splitlines() if Path(path).is_file() else []


def _faults_of_head(ledger: Ledger, head: Path) -> list[str]:
    entries = ledger.entries
    try:
        content = json.loads(head.read_bytes())
        count, last = int(content["entries"]), str(content["hash"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return [f"{head.name} cannot be read ({error})"]
    if any(last in loss.heads for loss in ledger.losses):
        return []
    if len(entries) < count:
        return [f"it has {len(entries)} lines, and had {count}"]
    if count > 0 and entries[count - 1].hash != last:
        return [f"line {count} is not the one that {head.name} names"]
    return []
