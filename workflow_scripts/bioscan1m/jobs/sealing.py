"""Lines are added to the ledger: only to one that is whole, one process at a time, with its head and signature.

Before a line is added, the ledger must go as far as it ever did: as far as the files with its head have it, and as far
as the records know. Else what was cut off would be forgotten with the next line.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bioscan1m.foundation.atomic import write_aside, write_json
from bioscan1m.foundation.errors import InputError
from bioscan1m.jobs.acceptance import Decision
from bioscan1m.jobs.ledger import Ledger, entry_of, is_new, kept_head_of, noted_heads, read_chain, read_ledger
from bioscan1m.jobs.records import Record
from bioscan1m.jobs.signatures import Signing, require_own_signature, sign
from bioscan1m.jobs.statements import CallFiles, Loss

NO_SIGNING = Signing()
REMEDY = (
    "Put back a copy of results/provenance; if there is none, `repair_run.py RUN --lost-ledger --why TEXT` states it"
)


def seal(
    path: str | Path,
    records: Sequence[Record],
    time: str,
    files: Sequence[dict[str, Any]] = (),
    signing: Signing = NO_SIGNING,
) -> Ledger:
    """Add the records that the ledger does not have, in the order in which their jobs ended; return the ledger.

    A record that is not younger than the sealed one of its path is left out: it was edited or put back, which the audit
    reports.

    Args:
        path: the ledger.
        records: the records of the run.
        time: when this is, UTC, ISO 8601.
        files: what no job makes and is as `CallFiles` has it; those that the ledger has as they are are left out.
        signing: who signs the ledger.

    Raises:
        InputError: the ledger has been changed or cut, or its signature is missing or somebody else's.
    """
    with _adding_alone(path):
        ledger = read_sound_ledger(path, records=records)
        require_own_signature(path, signing, was_signed(path))
        new = sorted((r for r in records if is_new(r, ledger)), key=lambda record: (record.ended, record.path))
        lines = [(record.path, record.text) for record in new]
        known = [ledger.call_files.get(file["path"], {}).get("sha256") for file in files]
        if known != [file["sha256"] for file in files]:
            lines.append(("", CallFiles(tuple(files), time).text))
        return _append(path, ledger, lines, time, signing)


def seal_statement(
    path: str | Path, head: str | Path, statement: Decision | Loss, signing: Signing = NO_SIGNING
) -> Ledger:
    """Add a statement. Raises InputError where the ledger has been changed or cut, or its signature is not right."""
    with _adding_alone(path):
        ledger = read_sound_ledger(path, head)
        require_own_signature(path, signing, was_signed(path))
        return _append(path, ledger, [("", statement.text)], statement.when, signing)


def state_loss(run: Path, path: str | Path, records: Iterable[Record], who: str, when: str, why: str) -> Loss | None:
    """State that lines of a ledger are lost for good, so that it can grow again; None where none are.

    A signature is put aside, and so is a ledger with changed lines, in whose place a new one begins.
    """
    records = list(records)
    with _adding_alone(path):
        if _is_whole(path, records):
            return None
        ledger = read_chain(path)
        for name in (Path(f"{path}.sig"), *([Path(path)] if ledger.faults else [])):
            if name.is_file():
                name.replace(name.with_name(f"{name.name}.damaged"))
        ledger = Ledger([], []) if ledger.faults else ledger
        heads = {head for head in noted_heads(run) if head not in ledger.numbers}
        heads |= ledger.lost_heads([*records, *(entry.parsed() for entry in ledger.records)]).keys()
        loss = Loss(tuple(sorted(heads)), who=who, when=when, why=why)
        _append(path, ledger, [("", loss.text)], when, NO_SIGNING)
        return loss


def _is_whole(path: str | Path, records: Iterable[Record]) -> bool:
    try:
        read_sound_ledger(path, records=records)
    except InputError:
        return False
    return not was_signed(path) or Path(f"{path}.sig").is_file()


def read_sound_ledger(path: str | Path, head: str | Path | None = None, records: Iterable[Record] = ()) -> Ledger:
    """Read a ledger to add to it. Raises InputError where it was changed, or is shorter than head or records know."""
    ledger = read_ledger(path, head)
    faults = [*ledger.faults, *faults_of_heads(ledger, records)]
    if faults:
        raise InputError(f"{path}: {'; '.join(faults[:3])}. {REMEDY}")
    return ledger


def faults_of_heads(ledger: Ledger, records: Iterable[Record]) -> list[str]:
    """Lines that are lost, as records know them that are there or sealed."""
    lost = ledger.lost_heads([*(entry.parsed() for entry in ledger.records), *records])
    return [f"{one.path} names the line {head[:16]}, which is not there" for head, one in lost.items()]


def was_signed(path: str | Path) -> bool:
    """Whether the ledger was signed when it was last written."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        return json.loads(kept_head_of(path).read_bytes())["signed"] is True
    return False


def _append(path: str | Path, ledger: Ledger, sealed: list[tuple[str, str]], time: str, signing: Signing) -> Ledger:
    """Write a line for each record path and text, whole or not at all, then signature and head; the longer ledger."""
    added, previous = [], ledger.head["hash"]
    for record, text in sealed:
        added.append(entry_of(record, text, time, previous))
        previous = added[-1].hash
    longer = Ledger([*ledger.entries, *added], [])
    if added:
        lines = "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in added)
        before = Path(path).read_bytes() if Path(path).is_file() else b""
        with write_aside(path) as part:
            part.write_bytes(before + lines.encode())
            if signing.key is not None:
                sign(part, signing.key)
        if signing.key is not None:
            Path(f"{part}.sig").replace(f"{path}.sig")
    elif signing.key is not None and longer.entries and not Path(f"{path}.sig").is_file():
        sign(path, signing.key)
    if longer.entries:
        write_json(kept_head_of(path), longer.head | {"signed": Path(f"{path}.sig").is_file()})
    return longer


@contextmanager
def _adding_alone(path: str | Path) -> Iterator[None]:
    """Wait until no other process adds to the ledger; a file system without locks has none."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Path(path).with_name("ledger.lock").open("w") as file:
        with suppress(OSError):
            fcntl.lockf(file, fcntl.LOCK_EX)
        yield
