"""Each entry of a profile has its reason above it, as docs/cluster.md promises."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

SWITCHED_OFF = re.compile(r"# [a-z-]+: ")  # an entry, not a reason
PROFILES = sorted((Path(__file__).parents[2] / "profiles").glob("*/profile.yaml"))
FEWEST = {"site-example": 1}  # entries; the others are switched off until a site needs them


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_every_entry_has_its_reason_above_it(path: Path) -> None:
    entries = [(above, line) for above, line in pairwise(path.read_text().splitlines()) if line[:1].isalpha()]
    assert len(entries) >= FEWEST.get(path.parent.name, 6)
    assert [line for above, line in entries if not above.startswith("# ") or SWITCHED_OFF.match(above)] == []
