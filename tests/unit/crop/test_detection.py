"""Every member of a chunk gets its row: found, doubtful or unreadable, whatever the batch and the number of threads."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_detectors import small_detector, well_jpeg

from bioscan1m.boxes.geometry import intersection_over_union
from bioscan1m.boxes.table import CORNERS, FLAGS, read_boxes, read_settings
from bioscan1m.crop.detection import Detection, Item, Machine, batches_of_one_size, box_columns, detect_chunk
from bioscan1m.detector.preprocessing import PreparedImage
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.quarantine import read_quarantine

DETECTION = Detection(image_size=None, precision="auto", score_threshold=0.0, below_threshold="best_box")
GOOD = 13


def other_format(mode: str, kind: str, size: tuple[int, int] = (50, 40), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation: int) -> bytes:
    """A wide JPEG that its EXIF data call high."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return other_format("RGB", "JPEG", (120, 30), exif=exif)


@pytest.fixture(scope="module")
def chunk(tmp_path_factory):
    """A chunk with wells of two sizes, other formats, and four members that cannot be used."""
    path = tmp_path_factory.mktemp("chunk") / "part1.zip"
    with ZipWriter(path) as archive:
        for seed in range(6):
            archive.add(f"part1/{seed}.jpg", well_jpeg(seed, (128, 96) if seed % 3 else (96, 128)))
        archive.add("part1/truncated.jpg", well_jpeg(1)[:300])
        archive.add("part1/deeper/cmyk.jpg", other_format("CMYK", "JPEG"))
        archive.add("part1/notes.jpg", b"no image")
        archive.add("part1/deep.png", other_format("I;16", "PNG"))
        archive.add("part1/empty.jpg", b"")
        archive.add("part1/again/0.jpg", well_jpeg(7))
        archive.add("part1/tiny.png", other_format("RGB", "PNG"))
        archive.add("part1/pixel.jpg", other_format("L", "JPEG", (1, 1)))
        archive.add("part1/wide.jpg", other_format("RGB", "JPEG", (30_000, 20)))
        archive.add("part1/high.png", other_format("P", "PNG", (20, 30_000)))
        archive.add("part1/turned.jpg", turned(6))
        archive.add("part1/bomb.png", other_format("1", "PNG", (30_000, 30_000)))
    return path


def detect(chunk, folder, limit=0.5, batch_size=4, threads=2, passes=1, **detection):
    return detect_chunk(
        chunk,
        small_detector(),
        detection=replace(DETECTION, **detection),
        machine=Machine(batch_size=batch_size, decoders=threads, passes=passes),
        unreadable_limit=limit,
        boxes=folder / "boxes.parquet",
        quarantine=folder / "quarantine.tsv",
        described={"model": "abc"},
    )


def test_every_member_has_its_row(chunk, tmp_path):
    counts = detect(chunk, tmp_path)
    assert counts == {"in": 18, "out": GOOD, "quarantined": 5}
    table = read_boxes(tmp_path / "boxes.parquet")
    assert table["image_file"].tolist() == [
        *(f"{seed}.jpg" for seed in range(6)),
        "truncated.jpg", "cmyk.jpg", "notes.jpg", "deep.png", "empty.jpg", "0.jpg", "tiny.png",
        "pixel.jpg", "wide.jpg", "high.png", "turned.jpg", "bomb.png",
    ]  # fmt: skip
    unreadable = table["status"] == "unreadable"
    assert table[unreadable].index.tolist() == [6, 8, 10, 11, 17]
    assert table.loc[unreadable, ["width", "height", "score", *CORNERS]].isna().all(axis=None)
    assert table.loc[~unreadable, ["width", "height", "score", *CORNERS, "second_score", *FLAGS]].notna().all(axis=None)
    assert table.loc[unreadable, ["second_score", "sharpness", *FLAGS]].isna().all(axis=None)
    sizes = table.loc[[0, 1, 12, 13, 14, 15, 16], ["width", "height"]].to_numpy().tolist()
    assert sizes == [[96, 128], [128, 96], [50, 40], [1, 1], [30_000, 20], [20, 30_000], [30, 120]]


def test_boxes_lie_within_the_image(chunk, tmp_path):
    detect(chunk, tmp_path)
    found = read_boxes(tmp_path / "boxes.parquet").dropna()
    assert (found[["x_min", "y_min"]] >= 0).all(axis=None)
    assert (found["x_max"] <= found["width"]).all() and (found["y_max"] <= found["height"]).all()
    assert (found["x_min"] <= found["x_max"]).all() and (found["y_min"] <= found["y_max"]).all()


def test_the_quarantine_gives_the_reasons(chunk, tmp_path):
    detect(chunk, tmp_path)
    rows = read_quarantine(tmp_path / "quarantine.tsv")
    assert [(name, stage) for name, stage, _ in rows] == [
        ("truncated.jpg", "detect"), ("notes.jpg", "detect"), ("empty.jpg", "detect"), ("0.jpg", "detect"),
        ("bomb.png", "detect"),
    ]  # fmt: skip
    assert [reason.split(":")[0].split(" (")[0] for _, _, reason in rows] == [
        "damaged image", "not an image", "empty file", "duplicate member name",
        "image of 30000x30000 pixels, more than 200000000",
    ]  # fmt: skip


@pytest.mark.parametrize(("batch_size", "threads", "passes"), [(1, 1, 1), (3, 4, 2), (100, 2, 1), (1, 2, 5)])
def test_boxes_do_not_depend_on_batches_and_threads(chunk, tmp_path, batch_size, threads, passes):
    detect(chunk, tmp_path / "a")
    detect(chunk, tmp_path / "b", batch_size=batch_size, threads=threads, passes=passes)
    ours, theirs = (read_boxes(tmp_path / name / "boxes.parquet") for name in "ab")
    assert ours[["image_file", "status"]].equals(theirs[["image_file", "status"]])
    readable = ours["status"] != "unreadable"
    boxes = [table.loc[readable, CORNERS].to_numpy() for table in (ours, theirs)]
    assert intersection_over_union(*boxes).min() >= 0.99


def test_too_many_unreadable_members_fail_the_job_after_the_tables_are_written(chunk, tmp_path):
    with pytest.raises(InputError, match=r"part1.zip: 5 of 18 images .*truncated.jpg"):
        detect(chunk, tmp_path, limit=0.1)
    assert len(read_boxes(tmp_path / "boxes.parquet")) == 18
    assert len(read_quarantine(tmp_path / "quarantine.tsv")) == 5


def test_the_table_tells_how_it_was_made(chunk, tmp_path):
    detect(chunk, tmp_path)
    assert read_settings(tmp_path / "boxes.parquet") == {"model": "abc"}


@pytest.mark.parametrize(
    ("policy", "box"), [("best_box", [20, 10, 40, 30]), ("full_frame", [0, 0, 200, 100]), ("drop", [None] * 4)]
)
def test_a_doubtful_box_is_treated_as_the_config_says(policy, box):
    image = PreparedImage(np.zeros((3, 10, 20), dtype=np.uint8), 200, 100)
    detection = replace(DETECTION, score_threshold=0.5, below_threshold=policy)
    found = np.array([[0, 0, 1, 1], [0.1, 0.1, 0.2, 0.3]], dtype=np.float32)
    doubtful = box_columns(image, found, np.array([0.1, 0.5]), detection)
    assert (doubtful["status"], doubtful["score"]) == ("below_threshold", 0.5)
    assert [doubtful.get(corner) for corner in CORNERS] == pytest.approx(box)
    sure = box_columns(image, found, np.array([0.1, 0.51]), detection)
    assert sure["status"] == "detected"
    assert [sure[corner] for corner in CORNERS] == pytest.approx([20, 10, 40, 30])


def test_dropped_boxes_are_null_in_the_table(chunk, tmp_path):
    detect(chunk, tmp_path, score_threshold=1.0, below_threshold="drop")
    table = read_boxes(tmp_path / "boxes.parquet")
    assert table["status"].value_counts().to_dict() == {"below_threshold": GOOD, "unreadable": 5}
    assert table[CORNERS].isna().all(axis=None)
    assert table["score"].notna().sum() == GOOD


def test_batches_hold_one_size_and_are_full_where_they_can_be():
    widths = [4, 4, 8, 4, 8, 2, 4, 6, 4, 4]
    items = [Item(row, PreparedImage(np.empty((3, 2, width)), width, 2)) for row, width in enumerate(widths)]
    batches = list(batches_of_one_size(items, 3))
    assert [[item.row for item in batch] for batch in batches] == [[0, 1, 3], [6, 8, 9], [2, 4], [5], [7]]


def test_batches_wait_for_a_bounded_number_of_items():
    def endless():
        for row in range(10_000):
            taken.append(row)
            yield Item(row, PreparedImage(np.empty((3, 1, row + 1), dtype=np.uint8), row + 1, 1))

    taken: list[int] = []
    next(batches_of_one_size(endless(), 5))
    assert len(taken) == 20


def test_a_chunk_without_members_gives_an_empty_table(tmp_path):
    with ZipWriter(tmp_path / "part1.zip"):
        pass
    assert detect(tmp_path / "part1.zip", tmp_path) == {"in": 0, "out": 0, "quarantined": 0}
    assert isinstance(read_boxes(tmp_path / "boxes.parquet"), pd.DataFrame)
