"""Fetching from disk, from folders and from a real web server on loopback that misbehaves in every way."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import shutil
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import cut, page, serving, status, whole, without_ranges
from transfers import BLOCK, DATA, MD5, OTHER, SHA256, get, is_alone, nothing_is_left, ranges, rest_from

from bioscan1m.fetch.content import check_zip
from bioscan1m.fetch.part_file import OVERLAP_BYTES
from bioscan1m.fetch.verified import fetch
from bioscan1m.foundation.archives import list_members
from bioscan1m.foundation.errors import InputError

# --- local files and folders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("checksum", [SHA256, MD5, SHA256.upper().replace("SHA256", "sha256"), None])
@pytest.mark.parametrize("form", ["path", "address"])
def test_a_local_file_is_copied(tmp_path, path, form, checksum):
    source = tmp_path / "a file.zip"
    source.write_bytes(DATA)
    get(source if form == "path" else source.as_uri(), path, len(DATA), checksum)
    assert path.read_bytes() == source.read_bytes() == DATA
    assert is_alone(path)


def test_a_missing_local_file_is_told(tmp_path, path):
    with pytest.raises(InputError, match=r"absent\.zip: no such file"):
        get(tmp_path / "absent.zip", path)


def test_a_wrong_checksum_leaves_nothing_and_tells_both(tmp_path, path):
    source = tmp_path / "source.zip"
    source.write_bytes(OTHER)
    with pytest.raises(InputError) as error:
        get(source, path)
    found = hashlib.sha256(OTHER).hexdigest()
    assert all(text in str(error.value) for text in (str(path), str(source), SHA256, found, "fetch it again"))
    assert nothing_is_left(path)


def test_a_wrong_size_leaves_nothing_and_tells_both(tmp_path, path):
    source = tmp_path / "source.zip"
    source.write_bytes(DATA)
    with pytest.raises(InputError, match=rf"{len(DATA)} bytes, expected were 7"):
        get(source, path, 7)
    assert nothing_is_left(path)


def test_a_file_that_is_there_already_is_replaced_only_by_the_right_one(tmp_path, path):
    source = tmp_path / "source.zip"
    source.write_bytes(OTHER)
    path.parent.mkdir()
    path.write_bytes(DATA)
    with pytest.raises(InputError):
        get(source, path)
    assert path.read_bytes() == DATA


def test_a_folder_is_packed_sorted_with_the_same_bytes_each_time(tmp_path, path, caplog):
    folder = tmp_path / "images"
    for name in ("b/2.JPG", "a.png", "b/1.webp", "notes.txt", ".cache/x.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    with caplog.at_level(logging.INFO):
        get(folder, path, checksum=None, check=check_zip)
    assert [member.name for member in list_members(path)] == ["a.png", "b/1.webp", "b/2.JPG"]
    assert "2 files are no photographs" in caplog.text
    first = path.read_bytes()
    os.utime(folder / "a.png", (1, 1))
    get(folder.as_uri(), path, checksum=None)
    assert path.read_bytes() == first


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.parametrize(
    ("key_folder", "keys"),
    [(None, ["1.jpg", "1.jpg"]), (".", ["a~1.jpg", "b~1.jpg"]), ("x/y", ["x~y~a~1.jpg", "x~y~b~1.jpg"])],
)
def test_images_of_one_name_are_keyed_by_their_paths_where_the_chunk_says_so(tmp_path, path, kind, key_folder, keys):
    for name in ("a/1.jpg", "b/1.jpg"):
        (tmp_path / "images" / name).parent.mkdir(parents=True)
        (tmp_path / "images" / name).write_bytes(name.encode())
    source = tmp_path / "images"
    if kind == "zip":
        source = shutil.make_archive(str(source), "zip", source)
    get(source, path, checksum=None, key_folder=key_folder)
    assert sorted(member.image_file for member in list_members(path)) == keys
    assert sum(member.duplicate for member in list_members(path)) == (key_folder is None)


def test_a_file_name_that_is_no_utf8_is_told(tmp_path, path):
    (tmp_path / "images").mkdir()
    for name in (b"K\xe4fer.jpg", b"\xc4\xd6.jpg"):
        (tmp_path / "images" / os.fsdecode(name)).write_bytes(b"")
    with pytest.raises(InputError, match=r"2 file names are not in UTF-8: 'K\\udce4fer\.jpg', .*convmv"):
        get(tmp_path / "images", path, checksum=None)
    assert nothing_is_left(path)


def test_a_folder_without_images_and_a_checksum_of_a_folder_are_told(tmp_path, path):
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(InputError, match=r"images: no image in this folder"):
        get(folder, path, checksum=None)
    with pytest.raises(InputError, match=r"images: a folder has no size or checksum"):
        get(folder, path)


# --- web servers ---------------------------------------------------------------------------------------------------


def test_a_file_is_fetched_from_a_server(path):
    with serving(whole(DATA)) as server:
        get(server.address, path, len(DATA))
    assert path.read_bytes() == DATA
    assert ranges(server) == [None]
    assert is_alone(path)


def test_a_broken_connection_is_taken_up_where_it_ended(path):
    with serving(cut(DATA, BLOCK), cut(DATA, 2 * BLOCK), whole(DATA)) as server:
        get(server.address, path)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, rest_from(BLOCK), rest_from(3 * BLOCK - OVERLAP_BYTES)]


def test_what_came_is_kept_for_the_next_job(path):
    with serving(cut(DATA, BLOCK, "v1"), status(503), whole(DATA, "v1")) as server:
        with pytest.raises(InputError, match=r"after 2 attempts.*503.*65536 bytes that came are kept; run again"):
            get(server.address, path, attempts=2)
        assert not path.exists()
        get(server.address, path)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, rest_from(BLOCK), rest_from(BLOCK)]
    assert is_alone(path)


def test_a_part_that_lacks_only_its_name_is_not_fetched_again(path):
    def stop(_):
        raise KeyboardInterrupt

    with serving(whole(DATA)) as server:
        with pytest.raises(KeyboardInterrupt):
            get(server.address, path, check=stop)
        get(server.address, path)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, rest_from(len(DATA))]


def test_a_source_that_has_changed_meanwhile_is_not_mixed_with_the_old_one(path):
    with serving(cut(OTHER, BLOCK, "v1"), whole(DATA, "v2")) as server:
        get(server.address, path, checksum=None)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, rest_from(BLOCK), None]


def test_a_part_of_another_source_is_not_taken_up(path):
    with serving(cut(OTHER, BLOCK)) as server, pytest.raises(InputError):
        get(server.address, path, checksum=None, attempts=1)
    with serving(whole(DATA)) as server:
        get(server.address, path, checksum=None)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None]


def test_a_server_that_ignores_ranges_is_read_from_the_start(path):
    with serving(cut(DATA, BLOCK), without_ranges(DATA)) as server:
        get(server.address, path)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, rest_from(BLOCK)]


def test_a_range_other_than_asked_for_is_not_appended(path):
    def other_range(request):
        request.reply(206, DATA[5:], Content_Range=f"bytes 5-{len(DATA) - 1}/{len(DATA)}")

    with serving(cut(DATA, BLOCK), other_range, whole(DATA)) as server:
        get(server.address, path)
    assert path.read_bytes() == DATA
    assert ranges(server) == [None, rest_from(BLOCK), None]


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503])
def test_passing_trouble_is_tried_again(path, code):
    with serving(status(code), whole(DATA)) as server:
        get(server.address, path)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("code", [401, 403, 404, 410])
def test_lasting_trouble_is_told_at_once(path, code):
    with serving(status(code)) as server, pytest.raises(InputError, match=rf"{server.address}: .* {code} .*check the"):
        get(server.address, path)
    assert len(server.requests) == 1
    assert nothing_is_left(path)


def test_a_web_page_in_place_of_the_file_is_told(path):
    with serving(page("Please log in")) as server, pytest.raises(InputError, match=r"web page \('Please log in'\)"):
        get(server.address, path, checksum=None)
    assert nothing_is_left(path)


def test_a_server_that_announces_another_size_is_told(path):
    with serving(whole(OTHER[:-1])) as server, pytest.raises(InputError, match=rf"{len(DATA) - 1} bytes, expected"):
        get(server.address, path, len(DATA))
    assert nothing_is_left(path)


def test_a_server_that_never_sends_all_it_announces_is_given_up(path):
    def too_short(request):
        request.reply(200, DATA, len(DATA) + 10)

    with serving(too_short) as server, pytest.raises(InputError, match="gave up"):
        get(server.address, path, checksum=None, attempts=2)
    assert not path.exists()


def test_a_file_of_unannounced_length_is_fetched(path):
    def chunked(request):
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        request.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(DATA), DATA))

    with serving(chunked) as server:
        get(server.address, path, len(DATA))
    assert path.read_bytes() == DATA


def test_silence_is_not_waited_for_longer_than_the_timeout(path):
    with (
        serving(lambda request: request.rfile.read(1)) as server,
        pytest.raises(InputError, match="within the timeout"),
    ):
        fetch(server.address, path, attempts=1, timeout=0.05)


def test_a_refused_connection_and_a_nonsense_address_are_told(path):
    with serving(status(500)) as server:
        address = server.address
    with pytest.raises(InputError, match="Connection refused"):
        get(address, path, attempts=2)
    with pytest.raises(InputError, match="not a valid address"):
        get("http://", path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, len(DATA) // 2), max_size=6))
def test_any_series_of_breaks_gives_the_same_file(path, breaks):
    with serving(*(cut(DATA, after) for after in breaks), whole(DATA)) as server:
        get(server.address, path, attempts=len(breaks) + 1)
    assert path.read_bytes() == DATA


# --- what a chunk must be ------------------------------------------------------------------------------------------


def zip_of(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"\n<html><head><title>Quota exceeded</title>", "a web page; open its address"),
        (zip_of(a="x" * 1000)[:-30], "cut off"),
        (b"\x1f\x8b\x08 something else", "begins with"),
        (zip_of(), "no files in it"),
    ],
)
def test_a_zip_that_is_no_zip_is_told_and_removed(tmp_path, path, data, told):
    source = tmp_path / "source.zip"
    source.write_bytes(data)
    with pytest.raises(InputError, match=rf"{path}: .*{told}.*source\.zip"):
        get(source, path, checksum=None, check=check_zip)
    assert nothing_is_left(path)
