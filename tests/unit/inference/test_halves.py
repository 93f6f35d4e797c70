"""The halves of a set of images share no specimen, and an image stays in its half."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bioscan1m.inference.halves import halves_by_specimen


@pytest.fixture
def metadata(tmp_path: Path) -> Path:
    """Images in threes of one specimen, without one, and of ten sites."""
    columns = {
        "image_file": [f"{place}.jpg" for place in range(600)],
        "sampleid": [f"specimen {place // 3}" if place < 300 else "" for place in range(600)],
        "site": [f"site {place % 10}" for place in range(600)],
    }
    pq.write_table(pa.table(columns), tmp_path / "metadata.parquet")
    return tmp_path / "metadata.parquet"


def test_the_images_of_a_specimen_are_in_one_half_and_the_halves_are_about_equal(metadata):
    names = [f"{place}.jpg" for place in range(600)]
    second = halves_by_specimen(metadata, names, None)
    assert (second[0:300:3] == second[1:300:3]).all() and (second[0:300:3] == second[2:300:3]).all()
    assert 0.4 < second[:300].mean() < 0.6 and 0.4 < second[300:].mean() < 0.6
    some = [names[place] for place in (580, 3, 301)]
    assert halves_by_specimen(metadata, some, None).tolist() == second[[580, 3, 301]].tolist()


def test_the_halves_follow_the_groups_of_the_splits(metadata):
    second = halves_by_specimen(metadata, [f"{place}.jpg" for place in range(600)], "site")
    assert all(len(set(second[site::10])) == 1 for site in range(10))
    assert 0 < second.mean() < 1
