"""Servers that are slow, ask for patience, or say something wrong of what they send."""

from __future__ import annotations

import logging
import time

import pytest
from loopback import Request, cut, serving, status, whole
from transfers import BLOCK, DATA, SHA256, get, is_alone, nothing_is_left, ranges, rest_from

from bioscan1m.fetch.content import check_zip
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation.errors import InputError


def dripping(data: bytes, blocks: int, seconds: float):
    """Send the file in blocks with a pause before each."""

    def answer(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        size = -(-len(data) // blocks)
        for start in range(0, len(data), size):
            time.sleep(seconds)
            request.wfile.write(data[start : start + size])

    return answer


def test_slow_bytes_are_waited_for_as_long_as_they_come(path):
    with serving(dripping(DATA, blocks=8, seconds=0.5)) as server:
        fetch(server.address, path, attempts=1, timeout=3)  # the whole takes longer than the timeout
    assert path.read_bytes() == DATA


def test_a_server_that_stops_in_the_middle_is_taken_up_there(path):
    def stalling(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(DATA)))
        request.end_headers()
        request.wfile.write(DATA[: 2 * BLOCK])
        request.rfile.read(1)  # until the client gives up

    with serving(stalling, whole(DATA)) as server:
        fetch(server.address, path, checksum=SHA256, attempts=2, timeout=3, first_pause=0.001)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, rest_from(2 * BLOCK)]


def test_a_server_that_asks_for_a_pause_gets_it(path):
    def too_many(request: Request) -> None:
        request.reply(429, b"", Retry_After="1")

    with serving(too_many, whole(DATA)) as server:
        start = time.monotonic()
        get(server.address, path)
    assert time.monotonic() - start >= 1
    assert path.read_bytes() == DATA


def test_a_pause_until_a_time_of_day_is_not_waited_for(path):
    def too_many(request: Request) -> None:
        request.reply(429, b"", Retry_After="Wed, 21 Oct 2099 07:28:00 GMT")

    with serving(too_many, whole(DATA)) as server:
        get(server.address, path)
    assert path.read_bytes() == DATA


def test_a_length_below_that_of_the_file_is_noticed_by_the_checksum(path):
    with (
        serving(lambda request: request.reply(200, DATA, len(DATA) - 9)) as server,
        pytest.raises(InputError, match="has the checksum"),
    ):
        get(server.address, path)
    assert nothing_is_left(path)


def test_bytes_of_the_right_number_that_are_no_zip_are_told(path):
    with serving(whole(DATA)) as server, pytest.raises(InputError, match=r"no zip but something that begins with"):
        get(server.address, path, len(DATA), checksum=None, check=check_zip)
    assert nothing_is_left(path)


def test_a_part_longer_than_the_source_has_become_is_started_again(path):
    with serving(cut(DATA + DATA, len(DATA) + BLOCK), whole(DATA)) as server:
        get(server.address, path)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, rest_from(len(DATA) // BLOCK * BLOCK + BLOCK), None]
    assert is_alone(path)


def test_progress_says_how_much_came_and_how_fast(path, caplog):
    with caplog.at_level(logging.INFO), serving(cut(DATA, BLOCK), status(500), whole(DATA)) as server:
        get(server.address, path)
    assert "file.zip: 0 of 0 MB" in caplog.text and "/s" in caplog.text
    assert f"attempt 1 of 4 broke off at byte {BLOCK}" in caplog.text
    assert f"attempt 2 of 4 broke off at byte {BLOCK}: the server answered 500" in caplog.text
    assert f"going on from byte {BLOCK}" in caplog.text
