"""Each entry of a profile has its reason above it, as docs/cluster.md promises."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

SWITCHED_OFF = re.compile(r"# [a-z-]+: ")  # an entry, not a reason
UNPACK = Path(__file__).parents[2] / "profiles/site-example/unpack_environment.sh"
PROFILES = sorted((Path(__file__).parents[2] / "profiles").glob("*/profile.yaml"))
FEWEST = {"site-example": 1}  # entries; the others are switched off until a site needs them


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.parent.name)
def test_every_entry_has_its_reason_above_it(path: Path) -> None:
    entries = [(above, line) for above, line in pairwise(path.read_text().splitlines()) if line[:1].isalpha()]
    assert len(entries) >= FEWEST.get(path.parent.name, 6)
    assert [line for above, line in entries if not above.startswith("# ") or SWITCHED_OFF.match(above)] == []


@pytest.mark.skipif(shutil.which("mksquashfs") is None, reason="needs squashfs-tools")
def test_jobs_that_begin_at_once_unpack_one_whole_environment(tmp_path: Path) -> None:
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").write_text("a Python")
    image, folder = tmp_path / "venv.squashfs", tmp_path / "disk of the node/environment"
    subprocess.run(["mksquashfs", tmp_path / "venv", image, "-quiet", "-no-progress"], check=True, capture_output=True)
    jobs = [subprocess.Popen(["sh", UNPACK, image, folder]) for _ in range(4)]
    assert [job.wait() for job in jobs] == [0] * 4
    assert (folder / "bin/python").read_text() == "a Python" and list(folder.parent.iterdir()) == [folder]
    assert subprocess.run(["sh", UNPACK, tmp_path / "gone.squashfs", folder], check=False).returncode == 0


@pytest.mark.skipif(shutil.which("mksquashfs") is None, reason="needs squashfs-tools")
def test_a_damaged_image_leaves_no_environment(tmp_path: Path) -> None:
    (tmp_path / "venv.squashfs").write_bytes(b"cut off")
    done = subprocess.run(["sh", UNPACK, tmp_path / "venv.squashfs", tmp_path / "environment"], check=False)
    assert done.returncode != 0 and [path.name for path in tmp_path.iterdir()] == ["venv.squashfs"]


def test_an_environment_of_another_user_is_not_run(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a folder away")
    (tmp_path / "environment").mkdir()
    os.chown(tmp_path / "environment", 65534, 65534)
    command = ["sh", UNPACK, tmp_path / "venv.squashfs", tmp_path / "environment"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1 and "belongs to another user" in done.stderr
