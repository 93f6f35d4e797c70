"""Answers that once gave a wrong file, a call without an end or a traceback, each by its name."""

from __future__ import annotations

import gzip
import time
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from loopback import Request, cut, serving, whole
from transfers import BLOCK, DATA, OTHER, SHA256, get, nothing_is_left, ranges, rest_from

from bioscan1m.fetch import verified
from bioscan1m.fetch.content import check_zip
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation.errors import InputError


def raw(*parts: bytes) -> Callable[[Request], None]:
    """Send these bytes and close the connection."""

    def answer(request: Request) -> None:
        request.close_connection = True
        for part in parts:
            request.wfile.write(part)

    return answer


def replying(status: int, **headers: str) -> Callable[[Request], None]:
    return lambda request: request.reply(status, DATA, **headers)


MULTIPART = "multipart/byteranges; boundary=x"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (replying(202), "answered 202 Accepted in place of the file"),
        (replying(204), "answered 204 No Content in place of the file"),
        (replying(299), "answered 299 in place of the file"),
        (replying(304), "answered 304"),
        (replying(206), "a part without its place"),
        (replying(206, Content_Type=MULTIPART), "a part without its place"),
        (
            replying(206, Content_Range=f"bytes 9-{len(DATA) + 8}/{len(DATA) + 9}"),
            "another part than the one asked for",
        ),
        (replying(416, Content_Range=f"bytes */{len(DATA)}"), "answered 416"),
        (replying(200, Content_Encoding="br"), r"form that was not asked for \(br\)"),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc"), "makes no sense"),
    ],
)
@pytest.mark.parametrize("begun", [False, True])
def test_an_answer_that_is_no_file_is_asked_for_twice_per_attempt_at_most(path, answer, told, begun):
    script = [cut(DATA, BLOCK, "v"), answer] if begun else [answer]
    with serving(*script) as server, pytest.raises(InputError, match=told):
        get(server.address, path, checksum=None, attempts=3)
    assert len(server.requests) <= 3 + 3
    assert not path.exists()


@pytest.mark.parametrize(
    "address", ["http://[::1/x", "http://", "http:///x", "http://h:x/", "http://h:99999/", "HTTP:x"]
)
def test_an_address_that_is_none_is_told(path, address):
    with pytest.raises(InputError, match="not a valid address"):
        get(address, path)
    assert nothing_is_left(path)


@pytest.mark.parametrize("place", ["http://[::1/x", "file:///etc/passwd", "//", "\xff"])
def test_a_server_that_leads_nowhere_is_told(path, place):
    with serving(lambda request: request.reply(302, b"", Location=place)) as server, pytest.raises(InputError):
        get(server.address, path, attempts=2)
    assert nothing_is_left(path)


@pytest.mark.parametrize("version", [None, 'W/"weak"', "unquoted"])
def test_without_a_checksum_only_a_strong_version_lets_a_transfer_go_on(path, version):
    tags = {"ETag": version} if version else {}

    def broken(request: Request) -> None:
        request.reply(200, OTHER[:BLOCK], len(OTHER), **tags)

    with serving(broken, whole(DATA)) as server:
        get(server.address, path, checksum=None)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, None]


@pytest.mark.parametrize(("age", "goes_on"), [(3600, True), (0, False)])
def test_a_time_is_a_version_where_it_is_older_than_the_answer(path, age, goes_on):
    times = {"Last-Modified": "Sun, 09 Sep 2001 01:46:40 GMT", "Date": f"Sun, 09 Sep 2001 0{1 + age // 3600}:46:40 GMT"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in times.items()).encode()
    broken = raw(b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: %d\r\n\r\n" % len(DATA), DATA[:BLOCK])
    with serving(broken, whole(DATA)) as server:
        get(server.address, path, checksum=None)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, rest_from(BLOCK) if goes_on else None]
    assert server.requests[1].headers["If-Range"] == (times["Last-Modified"] if goes_on else None)


@pytest.mark.parametrize("body", [OTHER + DATA, OTHER[: len(OTHER) - BLOCK + 1024]], ids=["all of it", "as many bytes"])
def test_a_part_that_is_sent_from_another_place_than_stated_is_not_appended(path, body):
    def misplaced(request: Request) -> None:
        first = request.first_byte
        place = f"bytes {first}-{len(OTHER) - 1}/{len(OTHER)}"
        raw(b'HTTP/1.1 206 Partial\r\nETag: "v"\r\nContent-Range: ' + place.encode() + b"\r\n\r\n", body)(request)

    with serving(cut(DATA, BLOCK, "v"), misplaced, whole(DATA, "v")) as server:
        get(server.address, path, checksum=None)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, rest_from(BLOCK), None]


def test_a_checksum_that_is_wrong_after_a_resumed_transfer_fetches_the_file_again(path):
    """A server without versions, whose file has changed behind the bytes that are fetched twice."""
    changed = OTHER[:BLOCK] + DATA[BLOCK:]
    with serving(cut(OTHER[: BLOCK - 2048] + DATA[BLOCK - 2048 :], BLOCK), whole(DATA)) as server:
        get(server.address, path)
    assert path.read_bytes() == DATA != changed
    assert ranges(server) == [None, rest_from(BLOCK), None]


WITHOUT_LENGTH = b"HTTP/1.0 200 OK\r\n\r\n"


def test_a_body_without_a_length_is_fetched_again_and_compared(path):
    with serving(raw(WITHOUT_LENGTH, DATA[:9]), raw(WITHOUT_LENGTH, DATA)) as server:
        get(server.address, path, checksum=None)
    assert path.read_bytes() == DATA
    assert len(server.requests) == 4  # two that differ, two that agree


@pytest.mark.parametrize("proof", [{"checksum": SHA256}, {"checksum": None, "expected_bytes": len(DATA)}])
def test_a_body_without_a_length_needs_no_second_one_where_something_proves_it(path, proof):
    with serving(raw(WITHOUT_LENGTH, DATA[:9]), raw(WITHOUT_LENGTH, DATA)) as server:
        get(server.address, path, **proof)
    assert path.read_bytes() == DATA
    assert len(server.requests) == 2


def endless(head: bytes, block: bytes) -> Callable[[Request], None]:
    def answer(request: Request) -> None:
        request.close_connection = True
        request.wfile.write(head)
        while True:
            request.wfile.write(block)

    def until_the_client_leaves(request: Request) -> None:
        with suppress(OSError):
            answer(request)

    return until_the_client_leaves


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"


@pytest.mark.parametrize("proof", [{"expected_bytes": len(DATA), "checksum": None}, {"checksum": None}])
def test_an_endless_body_ends_at_the_known_or_the_largest_size(path, monkeypatch, proof):
    monkeypatch.setattr(verified, "LARGEST_BYTES", 2**20)
    monkeypatch.setattr(verified, "BYTES_BETWEEN_LOOKS", 2**18)
    block = b"10000\r\n" + bytes(2**16) + b"\r\n"
    with serving(endless(CHUNKED + b"\r\n", block)) as server, pytest.raises(InputError) as error:
        get(server.address, path, attempts=2, **proof)
    told = "sent more than its" if proof.get("expected_bytes") else "without an end"
    assert told in str(error.value)
    assert nothing_is_left(path)


@pytest.mark.parametrize("proof", [{"expected_bytes": len(DATA), "checksum": None}, {"checksum": None}])
def test_a_bomb_ends_at_the_known_or_the_largest_size(path, monkeypatch, proof):
    monkeypatch.setattr(verified, "LARGEST_BYTES", 2**24)
    monkeypatch.setattr(verified, "BYTES_BETWEEN_LOOKS", 2**20)
    bomb = gzip.compress(bytes(2**26))
    with (
        serving(lambda request: request.reply(200, bomb, Content_Encoding="gzip")) as server,
        pytest.raises(InputError, match=r"sent more than its|without an end"),
    ):
        get(server.address, path, attempts=1, **proof)
    assert nothing_is_left(path)


def test_a_body_that_inflates_to_nothing_for_ever_is_given_up(path):
    started = zlib.compressobj(wbits=31)
    head = started.compress(b"") + started.flush(zlib.Z_FULL_FLUSH)
    nothing = b"10000\r\n" + (b"\0\0\0\xff\xff" * 2**14)[: 2**16] + b"\r\n"
    start = CHUNKED + b"Content-Encoding: gzip\r\n\r\n%x\r\n%s\r\n" % (len(head), head)
    with (
        serving(endless(start, nothing)) as server,
        pytest.raises(InputError, match=r"too slowly|makes no sense|connection failed"),
    ):
        fetch(server.address, path, attempts=1, timeout=0.3)
    assert nothing_is_left(path)


def test_a_file_for_which_there_is_no_room_is_told_before_it_comes(path):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n"
    with serving(raw(head, DATA)) as server, pytest.raises(InputError, match="its disk has room for"):
        get(server.address, path, checksum=None)


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n",
        CHUNKED + b"\r\n5; ",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nX: ",
    ],
    ids=["headers", "bytes", "length of a chunk", "continue"],
)
def test_a_drip_holds_no_run(path, start):
    def dripping(request: Request) -> None:
        request.close_connection = True
        request.wfile.write(start)
        for _ in range(200):
            request.wfile.write(b"x")
            time.sleep(0.1)

    begun = time.monotonic()
    with serving(dripping) as server:
        with pytest.raises(InputError, match="sends too slowly"):
            fetch(server.address, path, attempts=1, timeout=0.5)
        assert time.monotonic() - begun < 10
    assert nothing_is_left(path)


@pytest.mark.parametrize("pause", ["99999999", "9" * 400])
def test_a_pause_that_a_server_asks_for_has_an_end(path, monkeypatch, pause):
    monkeypatch.setattr(verified, "LONGEST_PAUSE", 0.1)
    with serving(lambda request: request.reply(429, b"", Retry_After=pause), whole(DATA)) as server:
        get(server.address, path)
    assert path.read_bytes() == DATA


def test_a_zip_whose_comment_is_cut_off_is_not_whole(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", b"a")
        archive.comment = b"a long comment"
    check_zip(path)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match="cut off"):
        check_zip(path)


def test_words_of_a_server_are_one_line_without_what_was_sent_to_it(path, monkeypatch):
    monkeypatch.setenv("SHARE", "s3cret-key-of-a-folder")
    title = "Sorry,\r\n\x1b[31m2026-01-01 ERROR me hunter2 tok3n s3cret-key-of-a-folder " + "x" * 900
    page = f"<html><title>{title}</title>".encode()
    with serving(lambda request: request.reply(200, page, Content_Type="text/html")) as server:
        address = server.address.replace("//", "//me:hunter2@").replace("folder", "${SHARE}") + "?t=tok3n"
        with pytest.raises(InputError, match=r"web page \('Sorry, \[31m2026-01-01 ERROR me … … … x+…'\)") as error:
            get(address, path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500
