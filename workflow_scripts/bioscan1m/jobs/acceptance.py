"""Results of earlier code that somebody accepted, so that an update of the code does not make them again.

An acceptance means, for one rule, that results of the code of one digest replace those of the code of another. It is
valid for these two digests alone, until it is taken back. Acceptances are lines of the ledger: they have person, time
and reason, and their removal is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

ACCEPTED, TAKEN_BACK = "accepted", "taken back"
CODES = ("rule", "before", "after")


@dataclass(frozen=True)
class Acceptance:
    """The jobs of a rule that were run by the code `before` and are accepted in place of jobs by the code `after`."""

    rule: str
    before: str
    after: str
    jobs: int


@dataclass(frozen=True)
class Decision:
    """Acceptances that were made, or taken back, together; `when` in UTC, ISO 8601."""

    kind: str
    acceptances: tuple[Acceptance, ...]
    who: str
    when: str
    why: str

    @property
    def text(self) -> str:
        """As it is sealed: JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


# Rule, code that made it, code that it is accepted for -> the decision
Accepted = dict[tuple[str, str, str], Decision]


def parse_decision(text: str) -> Decision:
    """A decision from its text. Raises ValueError, TypeError or KeyError where it is none."""
    content = json.loads(text)
    acceptances = tuple(Acceptance(**acceptance) for acceptance in content.pop("acceptances"))
    decision = Decision(acceptances=acceptances, **content)
    if decision.kind not in (ACCEPTED, TAKEN_BACK):
        raise ValueError(f"no kind of decision is called {decision.kind!r}")
    texts = [decision.who, decision.when, decision.why, *(getattr(a, f) for a in acceptances for f in CODES)]
    if not all(isinstance(value, str) for value in texts):
        raise ValueError("a decision names persons, times, reasons, rules and codes as text")
    return decision


def accepted_by(decisions: Iterable[Decision]) -> Accepted:
    """What is accepted after decisions in their order."""
    accepted: Accepted = {}
    for decision in decisions:
        for one in decision.acceptances:
            key = one.rule, one.before, one.after
            if decision.kind == ACCEPTED:
                accepted[key] = decision
            else:
                accepted.pop(key, None)
    return accepted


def acceptances_of(rule: str, code: str, accepted: Accepted) -> list[tuple[str, Decision]]:
    """For which later codes the results of a rule's code are accepted, and by which decisions."""
    return [(after, decision) for (of, before, after), decision in accepted.items() if (of, before) == (rule, code)]
