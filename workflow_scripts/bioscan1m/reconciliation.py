"""Do the rows of the metadata and the images of the chunks name each other?

Rows of chunks that this run does not have are not compared; the warnings on the metadata count them.
An image is used by its name, so one that lies in another chunk than its row says is used all the same, and listed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from bioscan1m.boxes_table import UNREADABLE, read_boxes
from bioscan1m.quarantine import UNREADABLE_IMAGE
from bioscan1m.tables import write_table

logger = logging.getLogger(__name__)

ROW_WITHOUT_IMAGE = "row without image"
IMAGE_WITHOUT_ROW = "image without row"
OTHER_CHUNK = "image in another chunk than its row says"


def reconcile_images(
    metadata: str | Path, boxes: list[str | Path], chunks: list[str], reconciliation: str | Path
) -> dict[str, int]:
    """Write the table of problems and return the counts of images, of those with a row, and of problems.

    `boxes` are the boxes tables of `chunks`; they name every member of a chunk. The table has the columns image_file,
    chunk and problem, in the order of chunks and names, and one row per problem.
    """
    rows = pq.read_table(metadata, columns=["image_file", "chunk_number"]).to_pandas()
    rows = rows.rename(columns={"chunk_number": "chunk"})
    tables = (read_boxes(path)[["image_file", "status"]] for path in boxes)
    images = pd.concat([table.assign(chunk=chunk) for chunk, table in zip(chunks, tables, strict=True)])
    problems = pd.concat(list(_problems(rows, images, chunks)))
    order = {chunk: place for place, chunk in enumerate(chunks)}
    problems = problems.sort_values(["image_file", "problem"]).sort_values(
        "chunk", key=lambda c: c.map(order), kind="stable"
    )
    for problem, count in problems["problem"].value_counts().items():
        logger.warning("%s: %d; %s lists them", problem, count, reconciliation)
    write_table(reconciliation, problems)
    return {
        "in": len(images),
        "out": int(images["image_file"].isin(rows["image_file"]).sum()),
        "problems": len(problems),
    }


def _problems(rows: pd.DataFrame, images: pd.DataFrame, chunks: list[str]) -> Iterator[pd.DataFrame]:
    """The rows and images with each problem, as image_file, chunk and problem."""
    has_row = images["image_file"].isin(rows["image_file"])
    named_chunk = images["image_file"].map(rows.set_index("image_file")["chunk"])
    expected = rows[rows["chunk"].isin(chunks)]
    found = {
        ROW_WITHOUT_IMAGE: expected[~expected["image_file"].isin(images["image_file"])],
        IMAGE_WITHOUT_ROW: images[~has_row],
        OTHER_CHUNK: images[has_row & (named_chunk != images["chunk"])],
        UNREADABLE_IMAGE: images[images["status"] == UNREADABLE],
    }
    for problem, table in found.items():
        yield table[["image_file", "chunk"]].assign(problem=problem)
