"""Find the insect in every image of a chunk: zip in, boxes table out, nothing unpacked.

Threads decode and resize while the model works on the last batch. A batch holds inputs of one size, so none is padded,
and a box does not depend on the images beside it. Memory: 2 inputs per thread, and WAITING_BATCHES batches.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioscan1m.archives import Member, list_members, read_members
from bioscan1m.boxes_table import BELOW_THRESHOLD, CORNERS, DETECTED, UNREADABLE, write_boxes
from bioscan1m.detector import Detector
from bioscan1m.detector_input import PreparedImage
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
    threads: int,
    unreadable_limit: float,
    boxes: str | Path,
    quarantine: str | Path,
    detector_digests: dict[str, str],
) -> dict[str, int]:
    """Write the boxes table and the table of unreadable members; return their counts.

    `detection` is the config's, `threads` the number of decoders. Raises InputError, after both tables are written,
    where more than the fraction `unreadable_limit` of the members cannot be read.
    """
    members = list_members(chunk)
    unreadable = Quarantine(STAGE)
    table = detect_members(chunk, members, detector, detection, threads, unreadable)
    write_boxes(boxes, table, {**detector_digests, **detection})
    unreadable.write(quarantine)
    logger.info("%s: %s", Path(chunk).name, table["status"].value_counts().to_dict())
    unreadable.check(len(members), unreadable_limit, Path(chunk).name)
    return {"in": len(members), "out": len(members) - len(unreadable), "quarantined": len(unreadable)}


def detect_members(
    chunk: str | Path,
    members: list[Member],
    detector: Detector,
    detection: dict[str, Any],
    threads: int,
    unreadable: Quarantine,
) -> pd.DataFrame:
    """One row of the boxes table for each member, in the order of the zip; unreadable ones go to the quarantine too."""
    rows = [{"image_file": member.image_file, "status": UNREADABLE} for member in members]
    items = _readable(chunk, members, detector, threads, unreadable)
    for batch in batches_of_one_size(items, detection["batch_size"]):
        found, scores = detector.predict([item.image.pixels for item in batch]).best()
        for item, box, score in zip(batch, found, scores, strict=True):
            rows[item.row] |= box_columns(item.image, box, float(score), detection)
    columns = ["image_file", "width", "height", *CORNERS, "score", "status"]
    return pd.DataFrame(rows, columns=columns).astype({"width": "Int32", "height": "Int32"})


def box_columns(image: PreparedImage, box: np.ndarray, score: float, detection: dict[str, Any]) -> dict[str, Any]:
    """What is known of a readable image: `box` are the corners of the best box in fractions of the image.

    Where its score is not above the threshold, `below_threshold` decides what is cropped: this box all the same, as
    the released tool does, the whole frame, or nothing (no box).
    """
    size = np.array([image.width, image.height] * 2, dtype=np.float32)
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
    chunk: str | Path, members: list[Member], detector: Detector, threads: int, unreadable: Quarantine
) -> Iterator[Item]:
    """The readable members, prepared by `threads` threads; the others go to the quarantine."""

    def prepare(read: tuple[Member, bytes | UnreadableImage]) -> PreparedImage | UnreadableImage:
        data = read[1]
        try:
            return data if isinstance(data, UnreadableImage) else detector.preprocessor.prepare(data)
        except UnreadableImage as reason:
            return reason

    progress = Progress(Path(chunk).name, len(members))
    for row, image in enumerate(map_in_order(prepare, read_members(chunk, members), threads)):
        progress.advance()
        if isinstance(image, UnreadableImage):
            unreadable.add(members[row].image_file, image)
        else:
            yield Item(row, image)
