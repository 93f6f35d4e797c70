"""Copies on the node's own disk: the same bytes, gone in the end, and no reason to fail where there can be none."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.scratch import staged

WAITING_JOB = """\
import sys
from bioscan1m.foundation.scratch import staged
with staged(sys.argv[1:2], sys.argv[2]) as copies:
    print(*copies, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two shards of the same name, as those of two packages have."""
    paths = [tmp_path / "shards" / package / "part1.zip" for package in ("original_256", "cropped_256")]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_bytes(path.parent.name.encode() * 1000)
    return [str(path) for path in paths]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@contextmanager
def job_that_waits(file: str, scratch: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process with a copy of a file, which it has until it is told to end; and the copy."""
    command = [sys.executable, "-c", WAITING_JOB, file, str(scratch)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, text=True, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process, Path(process.stdout.readline().strip())


def test_a_job_reads_copies_that_are_gone_in_the_end(files: list[str], scratch: Path) -> None:
    with staged(files, str(scratch)) as copies:
        assert [Path(copy).read_bytes() for copy in copies] == [Path(file).read_bytes() for file in files]
        assert all(Path(copy).is_relative_to(scratch) for copy in copies)
    assert not list(scratch.iterdir())


def test_they_are_gone_after_a_failure_too(files: list[str], scratch: Path) -> None:
    with pytest.raises(ZeroDivisionError), staged(files, str(scratch)):
        1 / 0  # noqa: B018
    assert not list(scratch.iterdir())


def test_an_error_names_the_file_and_not_its_copy(files: list[str], scratch: Path) -> None:
    with pytest.raises(InputError) as raised, staged(files, str(scratch)) as copies:
        raise InputError(f"{copies[1]}: not a readable zip file; remove it")
    assert str(raised.value) == f"{files[1]}: not a readable zip file; remove it"


def test_variables_are_those_of_the_node(files: list[str], scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISK_OF_THE_NODE", str(scratch))
    with staged(files, "$DISK_OF_THE_NODE") as copies:
        assert Path(copies[0]).is_relative_to(scratch)


def test_without_scratch_files_are_read_in_place(files: list[str]) -> None:
    with staged(files, None) as copies:
        assert copies == files


@pytest.mark.parametrize(
    ("folder", "reason"),
    [("$NO_SUCH_VARIABLE/copies", "the variable is not set here"), ("/no/such/folder", "No such file or directory")],
)
def test_where_there_is_no_scratch_files_are_read_in_place_and_the_log_says_so(
    files: list[str], folder: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with staged(files, folder) as copies:
        assert copies == files
    assert f"scratch {folder}: " in caplog.text and reason in caplog.text and "reading in place" in caplog.text


def test_what_does_not_fit_is_read_in_place(scratch: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    package = tmp_path / "package.hdf5"
    package.touch()
    os.truncate(package, 2 * shutil.disk_usage(scratch).free)  # sparse: it takes no room itself
    with staged([package], str(scratch)) as copies:
        assert copies == [str(package)]
        assert not list(scratch.rglob("package.hdf5"))
    assert "do not fit" in caplog.text and "reading in place" in caplog.text


def test_a_disk_that_fills_meanwhile_leaves_nothing(
    files: list[str], scratch: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))  # no file may grow beyond
    try:
        with staged(files, str(scratch)) as copies:
            assert copies == files
            assert not list(scratch.rglob("*.zip"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "reading in place" in caplog.text


def test_the_next_job_removes_what_a_killed_one_left(files: list[str], scratch: Path) -> None:
    with job_that_waits(files[0], scratch) as (job, left):
        job.kill()
        job.wait()
    assert left.exists()
    with staged(files, str(scratch)):
        assert not left.exists()


def test_jobs_beside_each_other_keep_their_copies(files: list[str], scratch: Path) -> None:
    with job_that_waits(files[0], scratch) as (job, copy):
        with staged(files, str(scratch)) as own:
            assert copy.exists() and str(copy) not in own
        assert copy.exists()
        job.stdin.close()
    assert not copy.exists()


def test_a_folder_that_another_job_has_just_removed_is_done_without(files, scratch, monkeypatch) -> None:
    make_folder = tempfile.mkdtemp

    def removed_at_once(**place: str) -> str:
        folder = make_folder(**place)
        Path(folder).rmdir()
        return folder

    monkeypatch.setattr(tempfile, "mkdtemp", removed_at_once)
    with staged(files, str(scratch)) as copies:
        assert copies == files
