"""Chunks are read member by member whatever is wrong with some of them, and written with the same bytes every time."""

from __future__ import annotations

import errno
import os
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan1m.foundation.archives import (
    Member,
    ZipReader,
    ZipWriter,
    list_members,
    read_members,
    state_key_folder,
)
from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.image_names import is_photograph
from bioscan1m.foundation.recipe_hook import writing_by_recipe

base_names = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1, max_size=20)
base_names = base_names.filter(is_photograph)


def write_zip(path: Path, *members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    """A zip as other programs write it."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")  # of duplicate names
        for name, data in members:
            archive.writestr(name, data)
    return path


def read(path: Path) -> dict[str, bytes | str]:
    """The members' bytes, or why there are none."""
    return {member.name: str(data) if isinstance(data, Exception) else data for member, data in read_members(path)}


@settings(max_examples=25)
@given(st.dictionaries(base_names, st.binary(max_size=300), max_size=6))
def test_what_is_written_is_read(tmp_path_factory, contents):
    path = tmp_path_factory.getbasetemp() / "round_trip.zip"
    with ZipWriter(path) as archive:
        for name, data in contents.items():
            archive.add(f"part1/{name}", data)
    assert list_members(path) == [Member(f"part1/{name}", name) for name in contents]
    assert [data for _, data in read_members(path)] == list(contents.values())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_equal_members_give_equal_bytes(tmp_path, monkeypatch):
    for name, zone in (("a.zip", "UTC"), ("b.zip", "Pacific/Auckland")):
        monkeypatch.setenv("TZ", zone)
        with ZipWriter(tmp_path / name) as archive:
            archive.add("part1/a.jpg", b"1" * 1000)
            archive.add("part1/é.jpg", b"")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        described = {(info.date_time, info.compress_type, info.create_system) for info in archive.infolist()}
    assert described == {((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 3)}


def test_writer_leaves_nothing_behind_on_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="stop"), ZipWriter(tmp_path / "a.zip") as archive:
        archive.add("a.jpg", b"1")
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_members_keep_the_order_of_the_zip_and_lose_their_folders(tmp_path):
    path = write_zip(
        tmp_path / "a.zip",
        ("part1/", b""),
        ("part1/deep/er/z.jpg", b"1"),
        ("part1/a.jpg", b"2"),
        ("windows\\folder\\m.jpg", b"3"),
        ("windows\\", b""),
    )
    assert [member.image_file for member in list_members(path)] == ["z.jpg", "a.jpg", "m.jpg"]
    assert [data for _, data in read_members(path)] == [b"1", b"2", b"3"]


def test_names_that_leave_the_folder_keep_only_their_last_part(tmp_path):
    names = ["../x.jpg", "/etc/y.jpg", "..\\..\\z.jpg", "a/..", ".."]
    path = write_zip(tmp_path / "a.zip", *((name, b"1") for name in names))
    assert [member.image_file for member in list_members(path)] == ["x.jpg", "y.jpg", "z.jpg"]


def test_only_the_members_asked_for_are_read(tmp_path):
    path = write_zip(tmp_path / "a.zip", ("a.jpg", b"1"), ("b.jpg", b"2"), ("c.jpg", b"3"))
    a, _, c = list_members(path)
    assert list(read_members(path, [c, a])) == [(c, b"3"), (a, b"1")]


def test_the_second_member_of_a_name_is_named_and_the_first_keeps_its_bytes(tmp_path):
    path = write_zip(tmp_path / "a.zip", ("x/a.jpg", b"1"), ("y/a.jpg", b"2"), ("b.jpg", b"3"), ("b.jpg", b"4"))
    found = [(member.image_file, data) for member, data in read_members(path)]
    assert [found[0], found[2]] == [("a.jpg", b"1"), ("b.jpg", b"3")]
    assert [str(data) for _, data in (found[1], found[3])] == [
        "duplicate member name: y/a.jpg",
        "duplicate member name: b.jpg",
    ]


def test_many_threads_read_at_a_time(tmp_path):
    contents = {f"{n}.jpg": bytes([n % 256]) * (1000 + n) for n in range(300)}
    path = write_zip(tmp_path / "a.zip", *contents.items(), method=zipfile.ZIP_DEFLATED)
    with ZipReader(path) as archive, ThreadPoolExecutor(16) as pool:
        found = dict(zip(contents, pool.map(archive.read, archive.members), strict=True))
    assert found == contents


def test_a_wrong_checksum_spares_the_other_members(tmp_path):
    path = write_zip(tmp_path / "a.zip", ("a.jpg", b"first"), ("b.jpg", b"damaged"), ("c.jpg", b"third"))
    path.write_bytes(path.read_bytes().replace(b"damaged", b"DAMAGED"))
    found = read(path)
    assert (found["a.jpg"], found["c.jpg"]) == (b"first", b"third")
    assert found["b.jpg"] == "unreadable zip member: Bad CRC-32 for file 'b.jpg'"


def test_a_disk_that_fails_for_a_moment_is_no_fault_of_the_image(tmp_path, monkeypatch):
    path = tmp_path / "chunk.zip"
    with ZipWriter(path) as archive:
        archive.add("part1/a.jpg", b"image")

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with ZipReader(path) as archive:
        (member,) = archive.members
        with monkeypatch.context() as failing, pytest.raises(OSError, match="Input/output error"):
            failing.setattr(os, "pread", fail)
            archive.read(member)
        assert archive.read(member) == b"image"


def test_the_checksum_of_an_empty_member_counts(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", b"")
        archive.filelist[0].CRC = 7
    assert "Bad CRC-32" in read(tmp_path / "a.zip")["a.jpg"]


def test_an_encrypted_member_is_named(tmp_path):
    path = write_zip(tmp_path / "a.zip", ("a.jpg", b"1"))
    data = bytearray(path.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + flags] |= 1
    path.write_bytes(data)
    assert "encrypted" in read(path)["a.jpg"]


def test_a_member_that_claims_to_be_gigantic_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", b"1")
        archive.filelist[0].file_size = 2**40  # needs the zip64 fields
    assert read(tmp_path / "a.zip") == {"a.jpg": f"member of {2**40} bytes, more than {512 * 2**20}"}


def test_a_member_that_claims_to_be_small_is_not_inflated_further(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(64 * 2**20))
        archive.filelist[0].file_size = 100
    tracemalloc.start()
    found = read(tmp_path / "a.zip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "Bad CRC-32" in found["a.jpg"]
    assert peak < 8 * 2**20


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_any_single_wrong_byte_is_an_unreadable_member_or_a_bad_zip(tmp_path, method):
    path = write_zip(tmp_path / "a.zip", ("é.jpg", b"0123" * 9), method=method)
    sound = path.read_bytes()
    for place in range(len(sound)):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :])
        try:
            found = list(read_members(path))
        except InputError as error:
            assert str(path) in str(error)
        else:
            assert all(isinstance(data, bytes | UnreadableImage) for _, data in found)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04" + bytes(100)])
def test_a_zip_that_is_no_zip_is_named(tmp_path, content):
    path = tmp_path / "bioscan_images_original_full_part7.zip"
    path.write_bytes(content)
    for function in (list_members, lambda path: list(read_members(path))):
        with pytest.raises(InputError, match=rf"{path.name}: not a readable zip file .*fetch it again"):
            function(path)


def test_a_zip_cut_off_by_a_broken_transfer_is_named(tmp_path):
    path = write_zip(tmp_path / "a.zip", ("a.jpg", b"1" * 1000))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"a\.zip: not a readable zip file"):
        list_members(path)


def test_a_missing_zip_is_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.zip: no such file"):
        list_members(tmp_path / "a.zip")


def write_foreign_zip(path: Path, name: bytes, extra: bytes = b"") -> Path:
    """A zip of one member whose name is not marked as UTF-8, as many programs write it."""
    stand_in = "".join(chr(97 + place % 26) for place in range(len(name) - 4)) + ".jpg"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo(stand_in)
        info.extra = extra
        archive.writestr(info, b"image")
    path.write_bytes(path.read_bytes().replace(stand_in.encode(), name))
    return path


def unicode_path(name: bytes, meant: str, crc_of: bytes | None = None) -> bytes:
    """Info-ZIP's field with the name in UTF-8."""
    field = struct.pack("<BL", 1, zlib.crc32(name if crc_of is None else crc_of)) + meant.encode()
    return struct.pack("<HH", 0x7075, len(field)) + field


BEETLE = "Apidae/K\u00e4fer.jpg"


@pytest.mark.parametrize(
    ("raw", "extra", "name"),
    [
        (BEETLE.encode(), b"", BEETLE),  # Finder, Python 2, 7-Zip on Linux
        ("Apidae/Ka\u0308fer.jpg".encode(), b"", "Apidae/Ka\u0308fer.jpg"),
        (BEETLE.encode("cp437"), b"", BEETLE),  # Explorer
        (b"Apidae/K#U00e4fer.jpg", unicode_path(b"Apidae/K#U00e4fer.jpg", BEETLE), BEETLE),  # Info-ZIP
        (b"Apidae/K?fer.jpg", b"UT\x05\x00\x01" + bytes(4) + unicode_path(b"Apidae/K?fer.jpg", BEETLE), BEETLE),
        (b"Apidae/K?fer.jpg", unicode_path(b"", BEETLE, crc_of=b"another name"), "Apidae/K?fer.jpg"),
        (b"Apidae/x.jpg", b"\x75\x70\x01\x00\x01", "Apidae/x.jpg"),  # a field cut short
        (BEETLE.encode("cp1252"), b"", "Apidae/K\u03a3fer.jpg"),  # names of tables find it: name_matching.py
    ],
)
def test_names_that_are_not_marked_as_utf8_are_read_and_their_members_found(tmp_path, raw, extra, name):
    path = write_foreign_zip(tmp_path / "a.zip", raw, extra)
    assert list_members(path) == [Member(name, name.rpartition("/")[2])]
    assert read(path) == {name: b"image"}
    state_key_folder(path, "2024")
    assert [member.image_file for member in list_members(path)] == [f"2024~{name.rpartition('/')[2]}"]
    assert read(path) == {name: b"image"}


def test_a_zip_states_the_folder_of_its_keys_and_its_members_stay_as_they_are(tmp_path):
    path = write_zip(tmp_path / "a.zip", ("m/Apidae/1.jpg", b"1"), ("m/Vespidae/1.jpg", b"2"), ("m/notes.txt", b""))
    size = path.stat().st_size
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"made by a friend"
    before = path.read_bytes()[: size - 2]
    for folder, keys in ((".", ["Apidae~1.jpg", "Vespidae~1.jpg"]), ("a b~c", ["a b%7Ec~Apidae~1.jpg"])):
        state_key_folder(path, folder)
        assert [member.image_file for member in list_members(path)][: len(keys)] == keys
        assert [data for _, data in read_members(path)] == [b"1", b"2"]
        assert path.read_bytes().startswith(before)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_a_zip_whose_file_names_are_the_keys_stays_as_it_is(tmp_path):
    path = write_zip(tmp_path / "a.zip", ("part1/", b""), ("part1/a.jpg", b"1"), ("part1/b.jpg", b"2"))
    before = path.read_bytes()
    state_key_folder(path, ".")
    assert path.read_bytes() == before


@pytest.mark.parametrize("names", [["Apidae~1.jpg", "Apidae~2.jpg"], ["a~b~1.jpg", "c%7Ed.jpg"], ["1.jpg", "2.jpg"]])
@pytest.mark.parametrize("folder", ["", "part1/"])
def test_a_zip_of_a_run_has_keys_already_and_keeps_them(tmp_path, names, folder):
    path = tmp_path / "part1.zip"
    with writing_by_recipe(lambda: "0" * 64), ZipWriter(path) as archive:
        for name in names:
            archive.add(folder + name, b"image")
    for _ in range(2):
        state_key_folder(path, ".")
        assert [member.image_file for member in list_members(path)] == names
        assert [member.image_file for member in list_members(path, ".")] == names
    for _ in range(2):
        state_key_folder(path, "20~24")
        assert [member.image_file for member in list_members(path)] == [f"20%7E24~{name}" for name in names]


def test_a_packed_folder_of_a_run_has_its_paths_as_keys(tmp_path):
    path = tmp_path / "part1.zip"
    with writing_by_recipe(lambda: "0" * 64), ZipWriter(path, ".") as archive:
        archive.add("Apidae~1.jpg", b"image")
        archive.add("x/2.jpg", b"image")
    assert [member.image_file for member in list_members(path)] == ["Apidae%7E1.jpg", "x~2.jpg"]
