"""The states that the audit finds files in; findings.py has what each means."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

INTACT, CHANGED, MISSING, REMOVED, STALE, OTHER_CODE, ORPHAN, SUPERSEDED = (
    "intact",
    "changed",
    "missing",
    "removed",
    "stale",
    "other code than today's",
    "orphan",
    "superseded",
)
OTHER_PARAMETERS, NOT_IN_RUN = "other parameters than today's", "not in this run"
ACCEPTED = "made by earlier code, accepted"
UNREADABLE, CHANGED_RECORD, NOT_SEALED = "unreadable record", "changed record", "record not sealed"
EDITED, LOSS_STATED, RECONSTRUCTED = "edited since", "lines were lost, as stated", "reconstructed record"
# The audit fails on these.
FAULTS = (CHANGED, MISSING, UNREADABLE, CHANGED_RECORD)


@dataclass(frozen=True)
class Finding:
    """The state of one file: its path, the state, the rule that made it and why the state is not intact."""

    path: str
    state: str
    rule: str = ""
    detail: str = ""


def count_states(findings: list[Finding]) -> dict[str, int]:
    """The number of files in each state that occurs, most frequent first."""
    return dict(Counter(finding.state for finding in findings).most_common())
