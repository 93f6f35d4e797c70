"""The records and the ledger of a run, compared with each other: which records count, and what is wrong with the rest.

A record that cannot be read is an *unreadable record*; one that was edited, or that is older than the one that the
ledger has under its name, is a *changed record*, and so is one that takes over a file of another job (claims.py). A
sealed copy replaces a record that is lost or cannot be used. One that is younger than its sealed copy counts, and is a
*record not sealed* until the end of a call of Snakemake seals it.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from bioscan1m.audit.states import (
    CHANGED,
    CHANGED_RECORD,
    LOSS_STATED,
    MISSING,
    NOT_SEALED,
    ORPHAN,
    RECONSTRUCTED,
    UNREADABLE,
    Finding,
)
from bioscan1m.jobs.ledger import HEAD, KEPT_HEAD, LEDGER, Ledger, is_new, read_ledger
from bioscan1m.jobs.records import RECORDS, EditedRecordError, Record, parse_record, record_bytes
from bioscan1m.jobs.sealing import faults_of_heads, was_signed
from bioscan1m.jobs.signatures import signature_fault

# Rules whose files are written after the ledger is sealed, and sealed at the end of their call.
AFTER_SEALING = ("seal_records", "export_crate", "audit")


@dataclass(frozen=True)
class Evidence:
    """The records of a run that count, the faults of the others, the ledger, and sealed records of removed files.

    `notes` are findings on records and ledger that are no faults.
    """

    records: list[Record]
    faults: list[Finding]
    ledger: Ledger
    removed: list[Record]  # sealed, but gone with all of their outputs
    notes: list[Finding]


def read_evidence(run: Path, signers: str | Path | None = None) -> Evidence:
    """Read the records and the ledger of a run folder, and compare them.

    With `signers`, a file of allowed signers, the ledger must be signed by one of them, and every record be sealed.
    """
    ledger = read_ledger(run / LEDGER, run / HEAD)
    records, spoilt = _read_records(run)
    faults = _faults_of_ledger(run, ledger, records, signers)
    spoilt |= {record.path: fault for record in records if (fault := _fault_of_record(record, ledger))}
    sound = {record.path: record for record in records if record.path not in spoilt}
    if signers is not None:
        unsigned = "the ledger does not have it, so nobody who may has signed it"
        faults += [Finding(one.path, CHANGED_RECORD, one.rule, unsigned) for one in unsealed(sound.values(), ledger)]
    counted, removed = list(sound.values()), []
    for path in (path for path in ledger.newest if path not in sound):
        sealed = ledger.newest[path].parsed()
        if path in spoilt or any((run / file["path"]).is_file() for file in sealed.outputs):
            counted.append(sealed)
            lost = f"sealed on {ledger.newest[path].sealed}, and not there any more"
            spoilt.setdefault(path, Finding(path, MISSING, detail=lost))
        else:
            removed.append(sealed)
    return Evidence(counted, [*faults, *spoilt.values()], ledger, removed, _notes(sound.values(), ledger))


def unsealed(records: Collection[Record], ledger: Ledger) -> list[Record]:
    """The records that the ledger does not have; none where nothing was sealed yet."""
    return [one for one in records if ledger.records and (one.path, one.sha256) not in ledger.places]


def read_sound_records(run: str | Path) -> list[Record]:
    """The records of a run that nobody edited, for the ledger."""
    return _read_records(Path(run))[0]


def _faults_of_ledger(
    run: Path, ledger: Ledger, records: Collection[Record], signers: str | Path | None
) -> list[Finding]:
    faults = [*ledger.faults, *faults_of_heads(ledger, records)]
    found = [Finding(LEDGER, CHANGED, detail=fault) for fault in faults]
    if ledger.call_files and not (run / KEPT_HEAD).exists():
        found.append(Finding(KEPT_HEAD, MISSING, detail="it is written with the ledger"))
    if was_signed(run / LEDGER) and not (run / f"{LEDGER}.sig").exists():
        found.append(Finding(f"{LEDGER}.sig", MISSING, detail="the ledger was signed"))
    elif fault := signature_fault(run / LEDGER, signers):
        found.append(Finding(f"{LEDGER}.sig", CHANGED, detail=fault))
    return found


def _notes(records: Collection[Record], ledger: Ledger) -> list[Finding]:
    """What is no fault, and should be known."""
    notes = [Finding(LEDGER, LOSS_STATED, detail=f"by {loss.who} on {loss.when}: {loss.why}") for loss in ledger.losses]
    for record in unsealed(records, ledger):
        notes.append(Finding(record.path, NOT_SEALED, record.rule, "written since the ledger was sealed"))
    made_anew = (record for record in records if "reconstructed" in record.content)
    return notes + [
        Finding(record.path, RECONSTRUCTED, record.rule, f"on {record.content['reconstructed']}, from the files")
        for record in made_anew
    ]


def _read_records(run: Path) -> tuple[list[Record], dict[str, Finding]]:
    """All records, and by path a finding for each that cannot be used."""
    records, spoilt = [], {}
    for file in sorted(Path(folder, name) for folder, _, names in os.walk(run / RECORDS) for name in names):
        path = file.relative_to(run).as_posix()
        if file.suffix != ".json":
            spoilt[path] = Finding(path, ORPHAN, detail="no record has such a name")
            continue
        try:
            records.append(parse_record(path, record_bytes(file)))
        except EditedRecordError as error:
            spoilt[path] = Finding(path, CHANGED_RECORD, detail=str(error))
        except (OSError, ValueError) as error:
            spoilt[path] = Finding(path, UNREADABLE, detail=str(error))
    return records, spoilt


def _fault_of_record(record: Record, ledger: Ledger) -> Finding | None:
    """Why a record is not the newest under its path; None where it is, or where none was sealed there."""
    newest = ledger.newest.get(record.path)
    if newest is None or newest.sha256 == record.sha256 or is_new(record, ledger):
        return None
    older = ledger.places.get((record.path, record.sha256))
    what = f"sealed on {older.sealed}, and replaced since" if older else "not what was sealed, and no younger than that"
    return Finding(record.path, CHANGED_RECORD, record.rule, what)
