"""An image is listed with the first stage that lost it, and with its chunk in the table of all chunks."""

from __future__ import annotations

import pytest

from bioscan1m.foundation.quarantine import Quarantine, read_quarantine
from join_all_quarantine import join_chunks
from join_quarantine import join_stages


@pytest.fixture
def tables(tmp_path):
    """The tables of three stages of one chunk."""
    lost = {"detect": [("a", "no image"), ("a", "duplicate")], "crop": [("b", "truncated")], "package": ["a", "b", "c"]}
    for stage, rows in lost.items():
        quarantine = Quarantine(stage)
        for row in rows:
            quarantine.add(row[0], row[-1])
        quarantine.write(tmp_path / f"{stage}.tsv")
    return [tmp_path / f"{stage}.tsv" for stage in lost]


def test_first_stage_counts(tables, tmp_path):
    assert join_stages(tables, tmp_path / "joined.tsv") == {"quarantined": 4}
    assert read_quarantine(tmp_path / "joined.tsv") == [
        ("a", "detect", "no image"),
        ("a", "detect", "duplicate"),
        ("b", "crop", "truncated"),
        ("c", "package", "c"),
    ]


def test_chunks_keep_all_their_rows(tables, tmp_path):
    reconciliation = tmp_path / "reconciliation.tsv"
    reconciliation.write_text("image_file\tchunk\tproblem\nx\t2\trow without image\na\t1\tunreadable image\n")
    counts = join_chunks([tables[0], tables[0]], ["1", "2"], reconciliation, tmp_path / "all.tsv")
    assert counts == {"quarantined": 5}
    lines = (tmp_path / "all.tsv").read_text().splitlines()
    assert lines[0] == "chunk\timage_file\tstage\treason"
    assert lines[1] == "1\ta\tdetect\tno image" and lines[4] == "2\ta\tdetect\tduplicate"
    assert lines[5:] == ["2\tx\tmetadata\trow without image"]
