"""As many chunks are fetched at a time as the profile says, however many cores there are."""

from __future__ import annotations

import re
import zipfile
from itertools import accumulate
from pathlib import Path

import pytest
import yaml

from workflow_runs import REPOSITORY, demo_config, snakemake_succeeds, write_config

pytestmark = pytest.mark.workflow

CHUNKS = range(1, 7)
STARTED, FINISHED = r"Job \d+: Fetch chunk", r"Finished jobid: \d+ \(Rule: fetch_chunk\)"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with more chunks to fetch than may be fetched at a time."""
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
        archive.writestr("part/image.jpg", b"pixels")
    rows = "".join(f"{chunk}\tsource.zip\t\t\n" for chunk in CHUNKS)
    (tmp_path / "chunks.tsv").write_text(f"chunk\tsource\tbytes\tchecksum\n{rows}")
    write_config(tmp_path, demo_config())
    return tmp_path


def running_at_a_time(output: str) -> list[int]:
    """How many fetches had begun and not ended, after each line that tells of one."""
    told = re.findall(f"^(?:({STARTED})|{FINISHED})", output, flags=re.MULTILINE)
    return list(accumulate(1 if started else -1 for started in told))


@pytest.mark.parametrize("profile", ["profiles/demo", "profiles/slurm"])
def test_no_more_chunks_are_fetched_at_a_time_than_the_profile_says(run: Path, profile: str) -> None:
    limit = yaml.safe_load((REPOSITORY / profile / "profile.yaml").read_text())["resources"]["downloads"]
    chunks = [f"data/chunks/bioscan_images_original_full_part{chunk}.zip" for chunk in CHUNKS]
    here = ("--executor", "local", "--cores", "8", "--quiet", "host")
    output = snakemake_succeeds(run, *chunks, *here, profile=profile)
    running = running_at_a_time(output)
    assert len(running) == 2 * len(CHUNKS) and running[-1] == 0
    assert max(running) == limit < len(CHUNKS)
