"""Rows and images that do not name each other are listed, each with its chunk and its problem."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bioscan1m.boxes.table import DETECTED, SCHEMA, UNREADABLE, write_boxes
from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.quarantine import COLUMNS
from bioscan1m.foundation.tsv import write_rows
from reconcile_images import images_of_boxes, images_of_zips, reconcile_images


def test_every_problem_is_one_row(tmp_path):
    rows = {"good.jpg": "10", "gone.jpg": "2", "bad.jpg": "2", "moved.jpg": "2", "lost.jpg": "10"}
    rows |= {"of_a_chunk_that_is_not_in_this_run.jpg": "99"}
    pq.write_table(pa.table({"image_file": list(rows), "chunk_number": list(rows.values())}), tmp_path / "m.parquet")
    chunks = {
        "2": {"bad.jpg": UNREADABLE, "extra.jpg": DETECTED},
        "10": {"good.jpg": DETECTED, "moved.jpg": DETECTED, "readme.txt": UNREADABLE},
    }
    for chunk, images in chunks.items():
        frame = pd.DataFrame({"image_file": list(images), "status": list(images.values())})
        write_boxes(tmp_path / f"{chunk}.parquet", frame.reindex(columns=SCHEMA.names), {})
    boxes = [tmp_path / f"{chunk}.parquet" for chunk in chunks]
    images = images_of_boxes(boxes, list(chunks))
    tables = tmp_path / "reconciliation.tsv", tmp_path / "chunks.tsv"
    counts = reconcile_images(tmp_path / "m.parquet", images, list(chunks), *tables)
    assert counts == {"in": 5, "out": 3, "problems": 7}
    assert (tmp_path / "reconciliation.tsv").read_text() == (
        "image_file\tchunk\tproblem\n"
        "bad.jpg\t2\tunreadable image\n"
        "extra.jpg\t2\timage without row\n"
        "gone.jpg\t2\trow without image\n"
        "lost.jpg\t10\trow without image\n"
        "moved.jpg\t10\timage in another chunk than its row says\n"
        "readme.txt\t10\timage without row\n"
        "readme.txt\t10\tunreadable image\n"
    )
    assert (tmp_path / "chunks.tsv").read_text() == (
        "chunk\tin_this_run\trows\timages\trow_without_image\timage_without_row\t"
        "image_in_another_chunk_than_its_row_says\tunreadable_image\n"
        "2\tyes\t3\t2\t1\t1\t0\t1\n"
        "10\tyes\t2\t3\t1\t1\t1\t1\n"
        "99\tno\t1\t0\t0\t0\t0\t0\n"
    )


def test_the_folders_of_published_zips_are_the_chunks_and_chunks_of_other_zips_are_not_missed(tmp_path):
    rows = {"good.jpg": "2", "gone.jpg": "2", "moved.jpg": "2", "bad.jpg": "3", "of_another_zip.jpg": "99"}
    pq.write_table(pa.table({"image_file": list(rows), "chunk_number": list(rows.values())}), tmp_path / "m.parquet")
    with ZipWriter(tmp_path / "1-20.zip") as archive:
        for name in ("part2/good.jpg", "bioscan/images/cropped_256/part3/moved.jpg", "photographs/extra.jpg"):
            archive.add(name, b"")
    write_rows(tmp_path / "lost.tsv", COLUMNS, [("bad.jpg", "cropped_256", "truncated")])
    images = images_of_zips([tmp_path / "1-20.zip"], [tmp_path / "lost.tsv"])
    assert reconcile_images(tmp_path / "m.parquet", images, None, tmp_path / "r.tsv", tmp_path / "c.tsv") == {
        "in": 4,
        "out": 3,
        "problems": 4,
    }
    assert (tmp_path / "r.tsv").read_text() == (
        "image_file\tchunk\tproblem\n"
        "gone.jpg\t2\trow without image\n"
        "bad.jpg\t3\tunreadable image\n"
        "moved.jpg\t3\timage in another chunk than its row says\n"
        "extra.jpg\t\timage without row\n"
    )
