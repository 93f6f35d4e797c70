"""Find the insect in every image of a chunk: zip in, boxes table out, nothing unpacked.

Threads read, decode and resize while the model works. A batch holds inputs of one size, so none is padded, and a box
does not depend on the images beside it. The model works in threads of its own, with the next batch ready. On a CPU
small inputs pass faster side by side, each with one thread for numerics, and large ones one after the other.

Memory beside the model: at most 2 * threads + batch_size inputs made ahead, WAITING_BATCHES batches of them that fill
up, 2 * passes in work or ready, and per thread a file and its decoded photograph. An input at DETR's 800x1066 pixels is
2.6 MB, an original decoded at half its sides 4.7 MB: with 16 threads, batches of 16 and one pass, less than 0.5 GB.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioscan1m.archives import Member, ZipReader
from bioscan1m.crop.quality import quality_columns
from bioscan1m.detector.boxes_table import (
    BELOW_THRESHOLD,
    CORNERS,
    DETECTED,
    FLAGS,
    SCHEMA,
    UNREADABLE,
    write_boxes,
)
from bioscan1m.detector.detector import Detector, Predictions
from bioscan1m.detector.detector_input import PreparedImage
from bioscan1m.errors import UnreadableImage
from bioscan1m.progress import Progress
from bioscan1m.quarantine import Quarantine
from bioscan1m.streams import map_in_order

logger = logging.getLogger(__name__)

STAGE = "detect"
# Inputs of other sizes may wait for their batch to fill until so many batches are held in all.
WAITING_BATCHES = 4


@dataclass(frozen=True)
class Item:
    """One readable member: its row in the boxes table, and its input."""

    row: int
    image: PreparedImage


def detect_chunk(
    chunk: str | Path,
    detector: Detector,
    detection: dict[str, Any],
    batch_size: int,
    threads: int,
    passes: int,
    unreadable_limit: float,
    boxes: str | Path,
    quarantine: str | Path,
    described: dict[str, Any],
) -> dict[str, int]:
    """Write the boxes table and the table of unreadable members; return their counts.

    `detection` are those settings of the config that decide which box is found, `threads` is the number of decoders,
    `passes` that of batches that the model works on at a time; `described` is told in the table. Raises InputError,
    after both tables are written, where more than the fraction `unreadable_limit` of the members cannot be read.
    """
    unreadable = Quarantine(STAGE)
    with ZipReader(chunk) as archive:
        table = detect_members(archive, detector, detection, batch_size, threads, passes, unreadable, Path(chunk).name)
    write_boxes(boxes, table, described)
    unreadable.write(quarantine)
    logger.info("%s: %s", Path(chunk).name, table["status"].value_counts().to_dict())
    unreadable.check(len(table), unreadable_limit, Path(chunk).name)
    return {"in": len(table), "out": len(table) - len(unreadable), "quarantined": len(unreadable)}


def detect_members(
    archive: ZipReader,
    detector: Detector,
    detection: dict[str, Any],
    batch_size: int,
    threads: int,
    passes: int,
    unreadable: Quarantine,
    what: str,
) -> pd.DataFrame:
    """One row of the boxes table for each member, in the order of the zip; unreadable ones go to the quarantine too."""
    members = archive.members
    rows = [{"image_file": member.image_file, "status": UNREADABLE} for member in members]
    items = _readable(archive, members, detector, threads, batch_size, unreadable, what)

    def predict(batch: list[Item]) -> tuple[list[Item], Predictions]:
        return batch, detector.predict([item.image.pixels for item in batch])

    for batch, predictions in map_in_order(predict, batches_of_one_size(items, batch_size), passes):
        for item, boxes, scores in zip(batch, *predictions, strict=True):
            rows[item.row] |= box_columns(item.image, boxes, scores, detection)
    table = pd.DataFrame(rows, columns=SCHEMA.names)
    return table.astype({"width": "Int32", "height": "Int32", **dict.fromkeys(FLAGS, "boolean")})


def box_columns(
    image: PreparedImage, boxes: np.ndarray, scores: np.ndarray, detection: dict[str, Any]
) -> dict[str, Any]:
    """What is known of a readable image: boxes (queries, 4) are corners in fractions of the image.

    The box of the highest score counts. Where its score is not above the threshold, `below_threshold` decides what is
    cropped: this box all the same, as the released tool does, the whole frame, or nothing (no box).
    """
    size = np.array([image.width, image.height] * 2, dtype=np.float32)
    box, score = boxes[scores.argmax()], float(scores.max())
    detected = score > detection["score_threshold"]
    if not detected and detection["below_threshold"] == "full_frame":
        box = np.array([0, 0, 1, 1], dtype=np.float32)
    kept = detected or detection["below_threshold"] != "drop"
    return {
        "width": image.width,
        "height": image.height,
        **(dict(zip(CORNERS, (box * size).tolist(), strict=True)) if kept else {}),
        "score": score,
        "status": DETECTED if detected else BELOW_THRESHOLD,
        **quality_columns(image.pixels, boxes, scores),
    }


def batches_of_one_size(items: Iterable[Item], batch_size: int) -> Iterator[list[Item]]:
    """The items in batches whose inputs have the same size; full ones, as long as the sizes do not vary too much."""
    waiting: dict[tuple[int, ...], list[Item]] = {}
    for item in items:
        group = waiting.setdefault(item.image.pixels.shape, [])
        group.append(item)
        if len(group) == batch_size or sum(map(len, waiting.values())) == WAITING_BATCHES * batch_size:
            largest = max(waiting, key=lambda shape: len(waiting[shape]))
            yield waiting.pop(largest)
    yield from waiting.values()


def _readable(
    archive: ZipReader,
    members: list[Member],
    detector: Detector,
    threads: int,
    batch_size: int,
    unreadable: Quarantine,
    what: str,
) -> Iterator[Item]:
    """The readable members, prepared by `threads` threads a batch ahead; the others go to the quarantine."""

    def prepare(member: Member) -> PreparedImage | UnreadableImage:
        data = archive.read(member)
        try:
            return data if isinstance(data, UnreadableImage) else detector.preprocessor.prepare(data)
        except UnreadableImage as reason:
            return reason

    progress = Progress(what, len(members))
    for row, image in enumerate(map_in_order(prepare, members, threads, ahead=batch_size)):
        progress.advance()
        if isinstance(image, UnreadableImage):
            unreadable.add(members[row].image_file, image)
        else:
            yield Item(row, image)
