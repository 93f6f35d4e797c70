"""Objects of Google Cloud Storage, fetched by gcsfs from a stand-in for it on loopback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from google_storage import etag, part_of, refusal, storage
from loopback import Answer, Server, forward, serving
from transfers import BLOCK, DATA, OTHER, get, is_alone, nothing_is_left, ranges, rest_from

from bioscan1m.fetch.part_file import PartFile
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation.errors import InputError

KEY = "chunks/part 1.zip"
SOURCE = f"gs://insects/{KEY}"
ONE_OBJECT = storage({KEY: DATA})


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # else Google's package asks the network whether this machine is theirs


@contextmanager
def stored(answer: Answer = ONE_OBJECT) -> Iterator[Server]:
    """The store, and the environment that leads there."""
    with serving(answer) as server, pytest.MonkeyPatch.context() as environment:
        environment.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
        yield server


def test_an_object_is_fetched(path):
    with stored():
        get(SOURCE, path, len(DATA))
    assert path.read_bytes() == DATA
    assert is_alone(path)


def test_a_broken_transfer_goes_on_where_it_stopped(path):
    with PartFile(path, SOURCE, "sha256").appending(etag(DATA)) as append:
        append(DATA[:BLOCK])
    with stored() as server:
        get(SOURCE, path)
    assert path.read_bytes() == DATA
    assert [asked for asked in ranges(server) if asked] == [f"{rest_from(BLOCK)}{len(DATA) - 1}"]


def test_an_object_that_has_changed_meanwhile_is_not_mixed(path):
    with PartFile(path, SOURCE, "sha256").appending(etag(OTHER)) as append:
        append(OTHER[:BLOCK])
    with stored():
        get(SOURCE, path, checksum=None)
    assert path.read_bytes() == DATA


def test_a_wrong_checksum_leaves_nothing(path):
    with (
        stored(storage({KEY: OTHER})),
        pytest.raises(InputError, match=r"has the checksum.*gs://insects/chunks/part 1\.zip and was removed"),
    ):
        get(SOURCE, path)
    assert nothing_is_left(path)


def test_bytes_that_are_not_those_of_the_stores_own_checksum_leave_nothing(path):
    with stored(storage({KEY: DATA}, part_of(OTHER))), pytest.raises(InputError, match="has the checksum md5:"):
        get(SOURCE, path, checksum=None)
    assert nothing_is_left(path)


def test_an_absent_object_and_a_folder_are_told_at_once(path):
    with stored():
        with pytest.raises(InputError, match=r"gs://insects/absent\.zip: no such object; check bucket and key"):
            get("gs://insects/absent.zip", path)
        with pytest.raises(InputError, match=r"gs://insects/chunks: a folder"):
            get("gs://insects/chunks", path)
    assert nothing_is_left(path)


@pytest.mark.parametrize(
    ("code", "message"),
    [(401, "Anonymous caller does not have storage.objects.get access"), (403, "someone does not have access")],
)
def test_a_refusal_is_told_at_once_in_one_line(path, caplog, code, message):
    with (
        stored(refusal(code, message)),
        caplog.at_level(logging.INFO),
        pytest.raises(InputError, match=r"gs://insects/.*refuses access; .*GOOGLE_APPLICATION_CREDENTIALS"),
    ):
        get(SOURCE, path)
    assert "Traceback" not in caplog.text
    assert nothing_is_left(path)


def test_silence_is_not_waited_for_longer_than_the_timeout(path):
    with stored(storage({KEY: DATA}, lambda request: request.rfile.read(1))):
        fetch(SOURCE, path, attempts=1, timeout=2)  # enough for the second answer on a busy machine
    assert path.read_bytes() == DATA


def test_a_proxy_of_the_environment_is_used_and_a_login_of_netrc_is_not(path, tmp_path, monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    (tmp_path / "netrc").write_text("default login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with stored() as server, serving(forward) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:pr0xy@127.0.0.1:{proxy.server_port}")
        get(SOURCE, path)
    assert path.read_bytes() == DATA
    assert {request.headers["Via"] for request in server.requests} == {"1.1 loopback"}
    assert {request.headers["Proxy-Authorization"] for request in proxy.requests} == {"Basic bWU6cHIweHk="}
    assert {request.headers.get("Authorization") for request in proxy.requests} == {None}
