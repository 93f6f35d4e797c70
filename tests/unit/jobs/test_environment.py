"""What a record says of files, code, software and machine is true."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from bioscan1m.foundation.digests import describe_files, file_digest
from bioscan1m.jobs import environment as provenance
from bioscan1m.jobs.environment import machine, now, peak_memory, software, source_state


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own, with nothing of the user's git settings."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


def test_file_digest(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    assert file_digest(tmp_path / "a") == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_files_are_described_in_their_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [f"{number}.txt" for number in range(20)]
    for name in names:
        Path(name).write_text(name)
    described = describe_files(names[::-1])
    assert [file["path"] for file in described] == names[::-1]
    assert all(file["sha256"] == hashlib.sha256(file["path"].encode()).hexdigest() for file in described)
    assert [file["bytes"] for file in described] == [len(name) for name in names[::-1]]
    assert describe_files([]) == []


def test_source_state_of_a_clean_and_of_a_changed_checkout(repository):
    (repository / "code.py").write_text("a = 1\n")
    git(repository, "init", "--quiet")
    git(repository, "add", "code.py")
    git(repository, "commit", "--quiet", "--message", "first")
    commit = source_state()["commit"]
    assert len(commit) == 40 and source_state()["dirty"] is False
    (repository / "results.tsv").write_text("not tracked")
    assert source_state() == {"commit": commit, "dirty": False}
    (repository / "code.py").write_text("a = 2\n")
    assert source_state() == {"commit": commit, "dirty": True}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_checkout_is_only_read(repository):
    """Git would write what it finds into its index, under a lock that the user's own git may want at that moment."""
    (repository / "code.py").write_text("a = 1\n")
    git(repository, "init", "--quiet")
    git(repository, "add", "code.py")
    git(repository, "commit", "--quiet", "--message", "first")
    os.utime(repository / "code.py", (1, 1))
    index = (repository / ".git/index").read_bytes()
    assert source_state()["dirty"] is False
    assert (repository / ".git/index").read_bytes() == index


def test_source_state_of_a_checkout_of_somebody_else(repository):
    git(repository, "init", "--quiet")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "first")
    subprocess.run(["chown", "--recursive", "12345", str(repository)], check=True)
    plain = subprocess.run(["git", "-C", str(repository), "status"], capture_output=True, text=True, check=False)
    assert "dubious ownership" in plain.stderr
    state = source_state()
    assert len(state["commit"]) == 40 and state["dirty"] is False


def test_source_state_without_git_is_unknown(repository):
    assert source_state() == {"commit": None, "dirty": None}
    assert repository.is_dir()


def test_source_state_where_git_is_not_installed(repository, monkeypatch):
    monkeypatch.setenv("PATH", str(repository))
    assert source_state() == {"commit": None, "dirty": None}


def test_software_names_the_versions_in_use():
    versions = software()
    assert versions["numpy"] == np.__version__
    assert versions["python"].startswith("3.")


def test_machine_and_memory_can_be_written_as_json():
    described = json.loads(json.dumps(machine()))
    assert described["cores"] >= 1 and described["cpu"] and described["host"]
    assert 10 * 2**20 < peak_memory() < 2**42


def test_times_are_utc():
    time = datetime.fromisoformat(now())
    assert time.utcoffset() == timedelta(0)
