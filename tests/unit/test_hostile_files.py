"""Files made to do harm: bombs, names that lead out of the folder, members that are no files."""

from __future__ import annotations

import io
import stat
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from bioscan1m.fetch.content import check_zip
from bioscan1m.foundation import images
from bioscan1m.foundation.errors import UnreadableImage
from bioscan1m.foundation.images import decode
from bioscan1m.foundation.quarantine import read_quarantine
from bioscan1m.package.shards import pack_zip
from pack_hdf5 import pack_hdf5
from resize_chunk import Resize, resize_chunk

RESIZE = Resize(pixels=32, side="shorter", filter="lanczos", jpeg_quality="keep", jpeg_quality_of_others=92)
# What leads out of a folder on one system or another.
NAMES = ("../up.jpg", "/etc/absolute.jpg", "a/../../b.jpg", "..\\windows.jpg", "C:\\drive.jpg", "../", "x/../..")
KEPT = {"up.jpg", "absolute.jpg", "b.jpg", "windows.jpg", "drive.jpg"}


def jpeg(side: int = 40, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(buffer, "JPEG", **options)
    return buffer.getvalue()


class Chunk:
    """A folder with one source, and the results made of it in another."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.source = folder, folder / "inner/source/part1.zip"
        self.results = folder / "inner/results"
        self.source.parent.mkdir(parents=True)

    def process(self, keep_folders: bool = False) -> dict[str, str]:
        """Check, resize and pack the source; image -> why it was lost."""
        check_zip(self.source)
        shard, lost = self.results / "shard.zip", self.results / "lost.tsv"
        counts = resize_chunk(
            self.source,
            shard,
            lost,
            resize=RESIZE,
            package="cropped_256",
            chunk="1",
            keep_folders=keep_folders,
            unreadable_limit=1.0,
            threads=2,
        )
        if counts["out"]:
            pack_zip([shard], self.results / "package.zip")
            pack_hdf5([shard], self.results / "package.hdf5", {})
        return {image_file: reason for image_file, _, reason in read_quarantine(lost)}

    def written_elsewhere(self) -> list[Path]:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return [path for path in files if path != self.source and self.results not in path.parents]


@pytest.fixture
def chunk(tmp_path: Path) -> Chunk:
    return Chunk(tmp_path)


@pytest.mark.parametrize("keep_folders", [False, True])
def test_names_that_lead_out_of_the_folder_lead_nowhere(chunk, keep_folders):
    with zipfile.ZipFile(chunk.source, "w") as archive:
        for name in NAMES:
            archive.writestr(name, jpeg())
    assert chunk.process(keep_folders) == {}
    for name in ("shard.zip", "package.zip"):
        with zipfile.ZipFile(chunk.results / name) as archive:
            packed = archive.namelist()
        assert {Path(name).name for name in packed} == KEPT
        assert all(name.startswith("bioscan/images/cropped_256/") and ".." not in name.split("/") for name in packed)
    assert chunk.written_elsewhere() == []


def test_a_link_in_a_zip_is_no_image_and_is_not_followed(chunk):
    link = zipfile.ZipInfo("link.jpg")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(chunk.source, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a.jpg", jpeg())
    assert chunk.process() == {"link.jpg": "not an image (begins with b'/etc/passwd')"}
    assert chunk.written_elsewhere() == []


def test_encrypted_and_repeated_members_cost_only_themselves(chunk):
    with zipfile.ZipFile(chunk.source, "w") as archive:
        for name in ("secret.jpg", "a/1.jpg", "b/1.jpg", "2.jpg"):
            archive.writestr(name, jpeg())
    data = bytearray(chunk.source.read_bytes())
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + flags] |= 1  # of the first member
    chunk.source.write_bytes(data)
    lost = chunk.process()
    assert sorted(lost) == ["1.jpg", "secret.jpg"]
    assert lost["1.jpg"] == "duplicate member name: b/1.jpg" and "encrypted" in lost["secret.jpg"]


def test_a_bomb_in_a_zip_is_not_inflated(chunk):
    with zipfile.ZipFile(chunk.source, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("bomb.jpg", "w", force_zip64=True) as member:
            for _ in range(600):
                member.write(bytes(2**20))
        archive.writestr("a.jpg", jpeg())
    tracemalloc.start()
    lost = chunk.process()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert lost == {"bomb.jpg": f"member of {600 * 2**20} bytes, more than {512 * 2**20}"}
    assert peak < 32 * 2**20


@pytest.mark.parametrize("claimed", [4 * 2**30, 2**63 - 1])
def test_a_member_that_claims_four_gigabytes_or_more_costs_only_itself(chunk, claimed):
    with zipfile.ZipFile(chunk.source, "w") as archive:
        archive.writestr("huge.jpg", jpeg())
        archive.filelist[0].file_size = archive.filelist[0].compress_size = claimed
        archive.writestr("a.jpg", jpeg())
    assert chunk.process() == {"huge.jpg": f"member of {claimed} bytes, more than {512 * 2**20}"}


def test_members_that_all_lie_at_the_same_place_are_told_apart(chunk):
    with zipfile.ZipFile(chunk.source, "w") as archive:
        for number in range(50):
            archive.writestr(f"{number}.jpg", jpeg())
        for info in archive.filelist:
            info.header_offset = 0
    assert len(chunk.process()) == 49


def bomb_of_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = jpeg(side, progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + b"\xff\xd9"


def test_a_bomb_of_progressive_scans_is_given_up(monkeypatch):
    monkeypatch.setattr(images, "LONGEST_SECONDS", 0.2)
    bomb = bomb_of_scans(400, 20_000)
    with pytest.raises(UnreadableImage, match="to decode"):
        decode(bomb)
    assert decode(bomb_of_scans(40, 3)).size == (40, 40)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_an_image_that_is_small_on_the_disk_and_too_large_in_memory_is_refused(kind):
    buffer = io.BytesIO()
    Image.new("1", (15_000, 14_000)).save(buffer, kind)
    with pytest.raises(UnreadableImage, match="15000x14000 pixels, more than 200000000"):
        decode(buffer.getvalue())
