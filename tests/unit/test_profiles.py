"""The profiles say why, as docs/scale.md promises: each entry has its reason above it."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

SWITCHED_OFF = re.compile(r"# [a-z-]+: ")  # an entry, not a reason
PROFILES = sorted((Path(__file__).parents[2] / "profiles").glob("*/profile.yaml"))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_every_entry_has_its_reason_above_it(path: Path) -> None:
    entries = [(above, line) for above, line in pairwise(path.read_text().splitlines()) if line[:1].isalpha()]
    assert len(entries) > 5
    assert [line for above, line in entries if not above.startswith("# ") or SWITCHED_OFF.match(above)] == []
