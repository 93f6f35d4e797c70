"""The ledger: a copy of every record that ever stood, in a chain of hashes, so that history can neither change nor end.

Records are overwritten when a job runs again and can be lost; what was sealed stays. Each line is JSON: the record's
path and SHA-256, its text, when it was sealed, the hash of the line before, and the hash of all of these. A changed,
lost or moved line no longer fits its neighbours. How far the chain went when it was last written stands in the head, a
small file beside it. Each record notes the head that its job began with, which orders jobs where clocks do not. A line
may also be a decision that results of earlier code are accepted (acceptance.py). Whoever wants to be sure of the writer
too signs the ledger (signatures.py).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bioscan1m.foundation.atomic import write_aside
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.acceptance import Decision, accepted_by, parse_decision
from bioscan1m.jobs.records import Record, parse_record

LEDGER, HEAD = "results/provenance/ledger.jsonl", "results/provenance/ledger.json"  # in the folder of a run
FIRST = "0" * 64  # what stands for the line before the first


@dataclass(frozen=True)
class Entry:
    """One line: `content` is the text of the record, `sha256` that of its bytes.

    Of a decision on results of earlier code `record` is empty.
    """

    record: str
    sha256: str
    sealed: str
    content: str
    previous: str
    hash: str

    def parsed(self) -> Record:
        """The record that was sealed."""
        return parse_record(self.record, self.content.encode())

    def decision(self) -> Decision:
        """What was decided on results of earlier code."""
        return parse_decision(self.content)


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
        self.decisions = [entry.decision() for entry in entries if not entry.record]
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


def read_ledger(path: str | Path, head: str | Path | None = None) -> Ledger:
    """Read a ledger, and check its chain and its length, which the JSON file `head` has; a missing file is empty."""
    entries: list[Entry] = []
    faults: list[str] = []
    previous: str | None = FIRST
    for number, line in enumerate(_lines(path), 1):
        try:
            entry = Entry(**json.loads(line))
            entry.parsed() if entry.record else entry.decision()
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            faults.append(f"line {number} is no entry ({error})")
            previous = None
            continue
        if entry.hash != _hash(asdict(entry)) or entry.sha256 != hashlib.sha256(entry.content.encode()).hexdigest():
            faults.append(f"line {number} ({entry.record}) was changed: its hash is another one")
        elif previous is not None and entry.previous != previous:
            faults.append(f"line {number} ({entry.record}) does not follow the line before it")
        entries.append(entry)
        previous = entry.hash
    if head is not None and Path(head).is_file():
        faults += _faults_of_head(entries, Path(head))
    return Ledger(entries, faults)


def seal(path: str | Path, records: list[Record], time: str) -> Ledger:
    """Add the records that the ledger does not have, in the order in which their jobs ended; return the ledger.

    A record that is not younger than the sealed one of its path is left out: it was edited or put back, which the audit
    reports. Raises InputError where the ledger has been changed.
    """
    ledger = read_sound_ledger(path)
    new = sorted((r for r in records if is_new(r, ledger)), key=lambda record: (record.ended, record.path))
    return _append(path, ledger, [(record.path, record.text) for record in new], time)


def seal_decision(path: str | Path, head: str | Path, decision: Decision) -> Ledger:
    """Add a decision on results of earlier code. Raises InputError where the ledger has been changed or cut."""
    return _append(path, read_sound_ledger(path, head), [("", decision.text)], decision.when)


def read_sound_ledger(path: str | Path, head: str | Path | None = None) -> Ledger:
    """Read a ledger to add to it. Raises InputError where it was changed, or is shorter than its head has it."""
    ledger = read_ledger(path, head)
    if ledger.faults:
        raise InputError(f"{path}: {'; '.join(ledger.faults[:3])}. Put back a copy of the ledger, or move it away")
    return ledger


def _append(path: str | Path, ledger: Ledger, sealed: list[tuple[str, str]], time: str) -> Ledger:
    """Write a line for each record path and text, whole or not at all; return the longer ledger."""
    added, previous = [], ledger.head["hash"]
    for record, text in sealed:
        added.append(_entry(record, text, time, previous))
        previous = added[-1].hash
    if added:
        lines = "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in added)
        before = Path(path).read_bytes() if Path(path).is_file() else b""
        with write_aside(path) as part:
            part.write_bytes(before + lines.encode())
    return Ledger([*ledger.entries, *added], [])


def head_hash(run: str | Path) -> str | None:
    """The hash of the last line, as the ledger's head has it; None where there is no head, or no readable one."""
    try:
        return json.loads((Path(run) / HEAD).read_bytes())["hash"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_new(record: Record, ledger: Ledger) -> bool:
    """Whether a record is of a job that ran after what was sealed under its path.

    It did if it knew of a ledger with that in it, be its clock right or wrong; where it knew none, its clock decides.
    """
    sealed = ledger.newest.get(record.path)
    if sealed is None or (record.path, record.sha256) in ledger.places:
        return sealed is None
    known = ledger.numbers.get(record.content.get("ledger", ""))
    return record.ended > sealed.parsed().ended if known is None else known >= ledger.numbers[sealed.hash]


def _entry(record: str, text: str, time: str, previous: str) -> Entry:
    entry = {
        "record": record,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "sealed": time,
        "content": text,
        "previous": previous,
    }
    return Entry(**entry, hash=_hash(entry))


def _hash(entry: dict[str, Any]) -> str:
    rest = {key: value for key, value in entry.items() if key != "hash"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _lines(path: str | Path) -> list[bytes]:
    return Path(path).read_bytes().splitlines() if Path(path).is_file() else []


def _faults_of_head(entries: list[Entry], head: Path) -> list[str]:
    try:
        content = json.loads(head.read_bytes())
        count, last = int(content["entries"]), content["hash"]
    except (ValueError, KeyError, TypeError) as error:
        return [f"{head.name} cannot be read ({error})"]
    if len(entries) < count:
        return [f"it has {len(entries)} lines, and had {count}"]
    if count and entries[count - 1].hash != last:
        return [f"line {count} is not the one that {head.name} names"]
    return []
