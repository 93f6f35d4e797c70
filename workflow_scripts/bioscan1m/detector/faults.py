"""All that is wrong in one file of annotations, named in one message."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bioscan1m.foundation.errors import InputError

FAULTS_SHOWN = 20
NAMES_SHOWN = 5
LONGEST_VALUE = 120  # letters of a value in a message


class Faults:
    """Collects what is wrong in a file, so that all of it can be mended at once."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.found: list[str] = []
        self._remedies: list[str] = []

    def add(self, fault: str) -> None:
        """Add a finding, with its remedy. Letters that no file can hold are shown as escapes."""
        self.found.append(fault.encode("utf-8", "backslashreplace").decode("utf-8"))

    def add_remedy(self, remedy: str) -> None:
        """Add what mends several findings at once."""
        self._remedies.append(remedy)

    def refuse(self) -> None:
        """Raise InputError with the findings, the first of them where they are many; nothing where there are none."""
        if len(self.found) == 1:
            raise InputError("; ".join([f"{self.path}: {self.found[0]}", *self._remedies]))
        if self.found:
            lines = self.found[:FAULTS_SHOWN]
            if left := len(self.found) - len(lines):
                lines.append(f"and {left} more")
            raise InputError("\n  ".join([f"{self.path}: {len(self.found)} faults:", *lines, *self._remedies]))


def shown(value: object) -> str:
    """A value of a file as it is written in a message, cut off where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def some_of(names: Iterable[object]) -> str:
    """The first names, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - NAMES_SHOWN} more" if len(found) > NAMES_SHOWN else ""
    return ", ".join(str(name) for name in found[:NAMES_SHOWN]) + more
