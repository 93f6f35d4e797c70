"""One rule for what is a photograph, in folders and in zips."""

from __future__ import annotations

from pathlib import Path

import pytest

from bioscan1m.fetch.image_folders import list_images
from bioscan1m.foundation.archives import ZipWriter, list_members
from bioscan1m.foundation.image_names import is_photograph

CASES = Path(__file__).parents[2] / "cases"
PHOTOGRAPHS = ("a.JPG", "b.heic", "Apidae/c.jfif", "d", "e.CR2", "f.jxl", "Thumbs.db.png", "g.unknown", "h i.gif")
OTHERS = (
    *("__MACOSX/._a.jpg", "._a.jpg", ".DS_Store", "x/.hidden/a.jpg", "Thumbs.db", "x/desktop.ini", "a.xmp", "a.json"),
    *("a.txt", "@eaDir/a.jpg", "labels.xlsx", "DESKTOP.INI", "x/__macosx/y/z.png", "film.MOV"),
    *(
        "a.jpg:Zone.Identifier",
        "Thumbs.db:encryptable",
        "track.GPX",
        "#recycle/a.jpg",
        "System Volume Information/a.jpg",
    ),
)


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_also_of_formats_that_cannot_be_read(name):
    assert is_photograph(name) and is_photograph(f"folder\\{name}")


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_photograph(name):
    assert not is_photograph(name)


def test_a_folder_and_a_zip_hold_the_same_photographs(tmp_path, caplog):
    caplog.set_level("INFO")
    for name in (*PHOTOGRAPHS, *OTHERS):
        path = tmp_path / "photographs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"data")
    with ZipWriter(tmp_path / "photographs.zip") as archive:
        for name in (*PHOTOGRAPHS, *OTHERS):
            archive.add(name, b"data")
    of_zip = [member.name for member in list_members(tmp_path / "photographs.zip")]
    of_folder = list_images(tmp_path / "photographs")
    assert sorted(of_zip) == of_folder == sorted(PHOTOGRAPHS)
    assert caplog.text.count("are left out") == 2


def test_a_zip_of_a_file_manager_holds_its_twenty_photographs():
    assert len(list_members(CASES / "mac_finder.zip")) == 20
