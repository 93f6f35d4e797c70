"""The preflight names what is missing on a machine, with what to do, and ends with its status."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from preflight import FAILED, OK, WARNING, NodeCheck, as_lines, check_clock, check_gpu, check_room, check_scratch

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "workflow_scripts/preflight.py"


def preflight(run: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(run), *arguments]
    return subprocess.run(command, text=True, capture_output=True, check=False)


def test_a_machine_that_has_all_passes_and_nothing_is_left_behind(tmp_path):
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text()) | {"scratch": str(tmp_path)}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "chunks.tsv").write_text("chunk\tsource\tbytes\tchecksum\n1\ta.zip\t1000000\t\n")
    done = preflight(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for name in ("packages", "disk", "clock", "HDF5", "scratch", "locks in scratch"):
        assert any(line.startswith(f"ok      {name}") for line in lines), done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"config.yaml", "chunks.tsv"}


def test_a_folder_that_is_no_run_is_named(tmp_path):
    done = preflight(tmp_path)
    assert done.returncode == 2 and done.stderr.startswith(f"preflight: {tmp_path}/config.yaml is not there")


@pytest.mark.parametrize(
    ("config", "named"),
    [("a: [", "no readable YAML"), ("", "'chunks' is a required key"), ("- a", "not of type 'object'")],
)
def test_a_config_with_mistakes_is_named(tmp_path, config, named):
    (tmp_path / "config.yaml").write_text(config)
    done = preflight(tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("preflight: ") and named in done.stderr


def test_a_run_that_does_not_fit_on_the_disk_is_a_warning(tmp_path):
    disk, *_ = check_room(tmp_path, [{"source": "a.zip", "bytes": 10**18, "checksum": None}], keep_chunks=True)
    assert disk.result == WARNING and "1,200,000,000.0 GB needed" in disk.found and "keep_chunks" in disk.remedy
    disk, *_ = check_room(tmp_path, [{"source": "a.zip", "bytes": None, "checksum": None}], keep_chunks=False)
    assert "about 4.0 GB needed" in disk.found and "20 GB assumed" in disk.found


def test_a_clock_that_differs_from_the_file_system_fails(tmp_path, monkeypatch):
    assert check_clock(tmp_path).result == OK
    monkeypatch.setattr("preflight.time.time", lambda: 0.0)
    assert check_clock(tmp_path).result == FAILED


@pytest.mark.parametrize("scratch", ["$NOT_SET_HERE/x", "/no/such/folder"])
def test_a_scratch_that_is_not_here_is_a_warning(scratch):
    (check,) = check_scratch(scratch)
    assert check.result == WARNING and check.found.startswith(scratch) and "in place" in check.remedy


def test_a_scratch_in_which_no_file_can_be_made_is_a_warning(tmp_path):
    (tmp_path / "file").write_text("")
    assert list(check_scratch(str(tmp_path / "file")))[-1].result == WARNING


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="needs a machine without a GPU")
def test_a_node_without_a_gpu_fails_where_one_is_asked_for():
    assert check_gpu().result == FAILED and "installation.md" in check_gpu().remedy


def test_each_check_has_one_line_and_its_remedy_below():
    text = as_lines([NodeCheck("disk", OK, "much"), NodeCheck("inodes", WARNING, "few", "ask for more")])
    assert text.split(os.linesep) == [
        "ok      disk    much",
        "warning inodes  few",
        "                -> ask for more",
        "",
    ]
