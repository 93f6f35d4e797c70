"""A file that exists is complete: whoever writes and fails leaves the folder as it was."""

from __future__ import annotations

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from bioscan1m.foundation import atomic
from bioscan1m.foundation.atomic import replace_text, write_aside, write_json, write_text


def test_the_file_appears_under_its_name_at_the_end(tmp_path):
    path = tmp_path / "new" / "folder" / "table.tsv"
    with write_aside(path) as part:
        part.write_bytes(b"all of it")
        assert part.parent == path.parent and not path.exists()
    assert path.read_bytes() == b"all of it"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_nothing_behind(tmp_path, error):
    with pytest.raises(error), write_aside(tmp_path / "table.tsv") as part:
        part.write_bytes(b"half of")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_an_error_leaves_the_former_file(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_bytes(b"before")
    with pytest.raises(ValueError, match="disk"), write_aside(path) as part:
        part.write_bytes(b"half of")
        raise ValueError("disk")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_former_file_is_whole_until_the_new_one_is(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_bytes(b"before")
    with path.open("rb") as reader:
        with write_aside(path) as part:
            part.write_bytes(b"after")
            assert path.read_bytes() == b"before"
        assert (reader.read(), path.read_bytes()) == (b"before", b"after")


def test_what_a_killed_job_left_is_overwritten(tmp_path):
    (tmp_path / "table.tsv.part").write_bytes(b"a long rest of a killed job")
    write_text(tmp_path / "table.tsv", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["table.tsv"]
    assert (tmp_path / "table.tsv").read_text() == "new"


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), write_aside(tmp_path / "table.tsv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_text_keeps_its_line_ends_and_is_utf_8(tmp_path):
    write_text(tmp_path / "a.txt", "Ämter\r\nEnde\n")
    assert (tmp_path / "a.txt").read_bytes() == "Ämter\r\nEnde\n".encode()


def test_json_keeps_the_order_of_keys_and_ends_its_line(tmp_path):
    write_json(tmp_path / "a.json", {"z": 1, "a": ["é", None]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert list(json.loads(text)) == ["z", "a"] and "é" in text and text.endswith("}\n")


def test_json_refuses_what_other_readers_cannot_read(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_does_not_take_a_growing_file_is_told(tmp_path, monkeypatch):
    """The system tells such an error once, so that the flush at the end would not see it."""
    flush, tried = os.fsync, Event()

    def fail_once(file):
        if tried.is_set():
            return flush(file)
        tried.set()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail_once)
    monkeypatch.setattr(atomic, "BYTES_TO_FLUSH", 1)
    with pytest.raises(OSError, match="No space left"), write_aside(tmp_path / "large.zip") as part:
        part.write_bytes(b"much of it")
        assert tried.wait(10)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_several_write_at_a_time_has_the_whole_text_of_one_and_the_longest_name(tmp_path):
    path, texts = tmp_path / ("n" * 255), [letter * 100_000 for letter in "abcdefgh"]
    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(lambda text: replace_text(path, text), texts * 4))
    assert path.read_text() in texts and list(tmp_path.iterdir()) == [path]
