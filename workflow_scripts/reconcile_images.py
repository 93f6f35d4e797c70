"""Compare the rows of the metadata with the images that the chunks have.

Rows of chunks that this run does not have are not compared; the table of chunks counts them.
An image is used by its name, so one that lies in another chunk than its row names is used all the same, and listed.
"""

import logging
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from bioscan1m.boxes.table import UNREADABLE, read_boxes
from bioscan1m.foundation.archives import list_members
from bioscan1m.foundation.quarantine import UNREADABLE_IMAGE, read_quarantine
from bioscan1m.foundation.tables import read_parquet, write_table
from bioscan1m.jobs.context import job

logger = logging.getLogger(__name__)

ROW_WITHOUT_IMAGE = "row without image"
IMAGE_WITHOUT_ROW = "image without row"
OTHER_CHUNK = "image in another chunk than its row says"
PROBLEMS = (ROW_WITHOUT_IMAGE, IMAGE_WITHOUT_ROW, OTHER_CHUNK, UNREADABLE_IMAGE)
CHUNK_FOLDER = re.compile(r"part([A-Za-z0-9_-]+)")  # of a member of the published packages


def images_of_boxes(boxes: list[str | Path], chunks: list[str]) -> pd.DataFrame:
    """image_file, chunk and whether it is unreadable, of all members of `chunks`, as their boxes tables name them."""
    tables = (read_boxes(path)[["image_file", "status"]] for path in boxes)
    images = pd.concat([table.assign(chunk=chunk) for chunk, table in zip(chunks, tables, strict=True)])
    return images.assign(unreadable=images["status"] == UNREADABLE).drop(columns="status")


def images_of_zips(zips: list[str | Path], quarantines: list[str | Path]) -> pd.DataFrame:
    """The same of zips in the published layout, whose folders `part{chunk}` name the chunks.

    `quarantines` name the images that were lost on the way to the zips. A chunk that is not known is missing.
    """
    members = (member for path in zips for member in list_members(path))
    found = [(member.image_file, _chunk_of_folder(member.name), False) for member in members]
    lost = [(image_file, None, True) for path in quarantines for image_file, _, _ in read_quarantine(path)]
    return pd.DataFrame([*found, *lost], columns=["image_file", "chunk", "unreadable"])


def reconcile_images(
    metadata: str | Path,
    images: pd.DataFrame,
    chunks: list[str] | None,
    reconciliation: str | Path,
    chunk_counts: str | Path,
) -> dict[str, int]:
    """Write the tables of problems and of chunks.

    Args:
        metadata: The validated metadata, Parquet.
        images: The result of `images_of_boxes` or `images_of_zips`.
        chunks: The chunks of the run; None for those of the images.
        reconciliation: The file that gets image_file, chunk and problem, one row per problem, in the order of chunks
            and names.
        chunk_counts: The file that gets the counts of rows, images and problems of each chunk of the run, and of each
            further chunk that the metadata names.

    Returns:
        The counts of images, of those with a row, and of problems.
    """
    rows = read_parquet(metadata, columns=["image_file", "chunk_number"]).to_pandas()
    rows = rows.rename(columns={"chunk_number": "chunk"})
    named = images["image_file"].map(rows.set_index("image_file")["chunk"])
    images = images.assign(chunk=images["chunk"].fillna(named).fillna(""))
    chunks = list(images["chunk"].unique()) if chunks is None else chunks
    problems = pd.concat(list(_problems(rows, images, chunks)))
    order = {chunk: place for place, chunk in enumerate(chunks)}
    problems = problems.sort_values(["image_file", "problem"]).sort_values(
        "chunk", key=lambda c: c.map(order), kind="stable"
    )
    for problem, count in problems["problem"].value_counts().items():
        logger.warning("%s: %d; %s lists them", problem, count, reconciliation)
    write_table(reconciliation, problems)
    write_table(chunk_counts, _count_by_chunk(rows, images, problems, chunks))
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
        UNREADABLE_IMAGE: images[images["unreadable"]],
    }
    for problem, table in found.items():
        yield table[["image_file", "chunk"]].assign(problem=problem)


def _count_by_chunk(
    rows: pd.DataFrame, images: pd.DataFrame, problems: pd.DataFrame, chunks: list[str]
) -> pd.DataFrame:
    """One row per chunk: those of the run in their order, then those that only the metadata names, by number."""
    others = set(rows["chunk"]) - set(chunks)
    index = pd.Index([*chunks, *sorted(others, key=lambda chunk: (len(chunk), chunk))], name="chunk")
    counts = pd.DataFrame({"in_this_run": np.where(index.isin(chunks), "yes", "no")}, index)
    for name, table in {"rows": rows, "images": images}.items():
        counts[name] = table["chunk"].value_counts().reindex(index, fill_value=0)
    for problem in PROBLEMS:
        of_chunks = problems.loc[problems["problem"] == problem, "chunk"].value_counts()
        counts[problem.replace(" ", "_")] = of_chunks.reindex(index, fill_value=0)
    return counts.reset_index()


def _chunk_of_folder(member: str) -> str | None:
    folder = CHUNK_FOLDER.fullmatch(PurePosixPath(member).parent.name)
    return folder[1] if folder else None


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        chunks = params.chunks
        boxes, zips = inputs.get("boxes"), inputs.get("zips")
        images = images_of_boxes(boxes, chunks) if boxes else images_of_zips(zips, inputs.quarantines)
        record.images = reconcile_images(
            inputs.metadata,
            images,
            chunks,
            reconciliation=outputs.reconciliation,
            chunk_counts=outputs.chunks,
        )
