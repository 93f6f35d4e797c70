"""One job makes a file: records that claim the file of another one, or files that are not theirs to make.

After a change of the config another rule may make a file, and the record of the earlier one stays. So the job of
today's plan has it; where there is no plan, the job whose record is sealed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from bioscan1m.audit.run_files import FOLDERS
from bioscan1m.audit.states import CHANGED_RECORD, Finding
from bioscan1m.jobs.ledger import Ledger
from bioscan1m.jobs.planned import JobPlan
from bioscan1m.jobs.records import Record


def refused_claims(records: Iterable[Record], ledger: Ledger, plan: JobPlan | None) -> dict[str, Finding]:
    """Path of a record -> the finding on it, for each that names an output which is not its own."""
    claims: dict[str, list[Record]] = defaultdict(list)
    refused: dict[str, Finding] = {}
    for record in records:
        for path in dict.fromkeys(file["path"] for file in record.outputs):
            claims[path].append(record)
            if not _is_in_results(path):
                what = f"it names {path} as an output, and jobs write below {' and '.join(FOLDERS)}"
                refused[record.path] = Finding(record.path, CHANGED_RECORD, record.rule, what)
    for path, claimants in claims.items():
        for record in _usurpers(claimants, ledger, plan) if len(claimants) > 1 else ():
            what = f"it names {path} as an output, which another job makes"
            refused.setdefault(record.path, Finding(record.path, CHANGED_RECORD, record.rule, what))
    return refused


def _usurpers(claimants: Sequence[Record], ledger: Ledger, plan: JobPlan | None) -> list[Record]:
    """The records that take a file over from the one whose it is; not those that it was taken over from."""
    ordered = sorted(claimants, key=lambda record: (record.ended, record.path))
    sealed = [record for record in ordered if (record.path, record.sha256) in ledger.places]
    if plan is None:
        return [record for record in ordered if sealed and record not in sealed]
    planned = [record for record in ordered if record.path in plan.jobs and plan.jobs[record.path].in_run]
    if not planned:
        return []
    owner = next((record for record in planned if record in sealed), planned[0])
    later = ordered[ordered.index(owner) + 1 :]
    return [record for record in ordered if record is not owner and (record in later or record in planned)]


def _is_in_results(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] in FOLDERS and ".." not in parts
