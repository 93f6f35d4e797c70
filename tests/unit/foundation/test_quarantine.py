"""No image vanishes: what cannot be used is in a table, and too much of it stops the job with a clear message."""

from __future__ import annotations

import csv

import pytest

from bioscan1m.foundation.errors import InputError, UnreadableImage
from bioscan1m.foundation.quarantine import Quarantine, read_quarantine


def filled(count: int) -> Quarantine:
    quarantine = Quarantine("detect")
    for number in range(count):
        quarantine.add(f"{number}.jpg", UnreadableImage(f"reason {number}"))
    return quarantine


def test_the_table_has_a_row_per_image_in_the_order_of_adding(tmp_path):
    quarantine = Quarantine("crop")
    quarantine.add("b.jpg", UnreadableImage("empty file"))
    quarantine.add("a.jpg", "no insect found")
    quarantine.write(tmp_path / "part1.tsv")
    expected = "image_file\tstage\treason\nb.jpg\tcrop\tempty file\na.jpg\tcrop\tno insect found\n"
    assert (tmp_path / "part1.tsv").read_text() == expected
    assert len(quarantine) == 2


def test_an_empty_table_still_has_its_header(tmp_path):
    Quarantine("crop").write(tmp_path / "part1.tsv")
    assert (tmp_path / "part1.tsv").read_text() == "image_file\tstage\treason\n"
    assert read_quarantine(tmp_path / "part1.tsv") == []


def test_a_reason_stays_on_one_line(tmp_path):
    quarantine = Quarantine("crop")
    quarantine.add("a.jpg", "broken\n  data\tstream\r\n")
    quarantine.write(tmp_path / "part1.tsv")
    assert read_quarantine(tmp_path / "part1.tsv") == [("a.jpg", "crop", "broken data stream")]


def test_odd_names_survive(tmp_path):
    names = ['quo"te.jpg', "tab\t.jpg", "line\nend.jpg", "Käfer 1.jpg", "'a'.jpg", "NA"]
    quarantine = Quarantine("crop")
    for name in names:
        quarantine.add(name, "no image")
    quarantine.write(tmp_path / "part1.tsv")
    assert [row[0] for row in read_quarantine(tmp_path / "part1.tsv")] == names
    with open(tmp_path / "part1.tsv", newline="") as file:
        assert {len(row) for row in csv.reader(file, delimiter="\t")} == {3}


@pytest.mark.parametrize(("count", "total", "limit"), [(0, 0, 0.0), (0, 10, 0.0), (1, 100, 0.01), (29, 100, 0.29)])
def test_up_to_the_limit_the_job_goes_on(count, total, limit):
    filled(count).check(total, limit, "part1")


@pytest.mark.parametrize(("count", "total", "limit"), [(1, 10, 0.0), (2, 100, 0.01), (30, 100, 0.29), (1, 1, 0.99)])
def test_above_the_limit_the_job_fails(count, total, limit):
    with pytest.raises(InputError):
        filled(count).check(total, limit, "part1")


def test_the_message_names_chunk_stage_counts_limit_and_examples():
    with pytest.raises(InputError) as raised:
        filled(12).check(40, 0.05, "data/chunks/part7.zip")
    message = str(raised.value)
    for part in ("data/chunks/part7.zip", "12 of 40", "detect", "unreadable_limit = 0.05", "0.jpg: reason 0", "4.jpg"):
        assert part in message
    assert "5.jpg" not in message


def test_all_of_them_are_in_the_log_of_a_job_that_fails(caplog):
    with pytest.raises(InputError):
        filled(12).check(40, 0.05, "part7")
    assert [record.getMessage() for record in caplog.records][-1] == "detect: 11.jpg: reason 11"
    assert len(caplog.records) == 12
