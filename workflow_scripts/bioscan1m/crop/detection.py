"""Find the insect in every image of a chunk: zip in, boxes table out, nothing unpacked.

Threads read, decode and resize while the model works. A batch has inputs of one size, so none is padded, and a box does
not depend on the other images of its batch. The model works in separate threads, with the next batch ready. On a CPU
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

from bioscan1m.boxes.quality import quality_columns
from bioscan1m.boxes.table import (
    BELOW_THRESHOLD,
    CORNERS,
    DETECTED,
    FLAGS,
    SCHEMA,
    UNREADABLE,
    write_boxes,
)
from bioscan1m.detector.model import Detector, FoundBoxes
from bioscan1m.detector.preprocessing import PreparedImage, Preprocessor
from bioscan1m.foundation.archives import Member, ZipReader
from bioscan1m.foundation.errors import UnreadableImage, unless_unreadable
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.quarantine import Quarantine
from bioscan1m.foundation.streams import map_in_order

logger = logging.getLogger(__name__)

STAGE = "detect"
# Inputs of different sizes wait for their batches to fill, at most so many batches in all.
WAITING_BATCHES = 4


@dataclass(frozen=True)
class Detection:
    """Which boxes are found: the part of the config's `detector.detection` that decides it, with its names."""

    image_size: dict[str, int] | None  # pixels; None is the size that the detector was trained with
    precision: str
    score_threshold: float  # a best score at or below it is below_threshold
    below_threshold: str  # best_box, full_frame or drop


@dataclass(frozen=True)
class Machine:
    """How the work is spread over a machine; no box depends on it."""

    batch_size: int  # images
    decoders: int  # threads that read, decode and resize
    passes: int  # batches that the model works on at a time


@dataclass(frozen=True)
class Item:
    """One readable member: its row in the boxes table, and its input."""

    row: int
    image: PreparedImage


def detect_chunk(
    chunk: str | Path,
    detector: Detector,
    *,
    detection: Detection,
    machine: Machine,
    unreadable_limit: float,
    boxes: str | Path,
    quarantine: str | Path,
    described: dict[str, Any],
) -> dict[str, int]:
    """Write the boxes table and the table of unreadable members.

    Args:
        chunk: zip of photographs.
        detector: the detector.
        detection: the settings that decide which box is found.
        machine: how the work is spread over the machine.
        unreadable_limit: largest fraction of the members that may be unreadable.
        boxes: boxes table to write.
        quarantine: table of unreadable members to write.
        described: detector and settings, for the metadata of the boxes table.

    Returns:
        The numbers of members in, out and quarantined.

    Raises:
        InputError: more than `unreadable_limit` of the members cannot be read; both tables are written before.
    """
    unreadable, name = Quarantine(STAGE), Path(chunk).name
    with ZipReader(chunk) as archive:
        progress = Progress(name, len(archive.members))
        items = _readable(archive, detector.preprocessor, machine, unreadable=unreadable, progress=progress)
        table = _boxes_table(archive.members, items, detector, detection=detection, machine=machine)
    write_boxes(boxes, table, described)
    unreadable.write(quarantine)
    logger.info("%s: %s", name, table["status"].value_counts().to_dict())
    unreadable.check(len(table), unreadable_limit, name)
    return {"in": len(table), "out": len(table) - len(unreadable), "quarantined": len(unreadable)}


def _boxes_table(
    members: list[Member], items: Iterable[Item], detector: Detector, detection: Detection, machine: Machine
) -> pd.DataFrame:
    """One row for each member, in the order of the zip; those that are no item are unreadable."""
    rows: list[dict[str, Any]] = [{"image_file": member.image_file, "status": UNREADABLE} for member in members]

    def predict(batch: list[Item]) -> tuple[list[Item], FoundBoxes]:
        return batch, detector.predict([item.image.pixels for item in batch])

    batches = batches_of_one_size(items, machine.batch_size)
    for batch, predictions in map_in_order(predict, batches, machine.passes):
        for item, boxes, scores in zip(batch, *predictions, strict=True):
            rows[item.row] |= box_columns(item.image, boxes, scores, detection)
    table = pd.DataFrame(rows, columns=SCHEMA.names)
    return table.astype({"width": "Int32", "height": "Int32", **dict.fromkeys(FLAGS, "boolean")})


def box_columns(image: PreparedImage, boxes: np.ndarray, scores: np.ndarray, detection: Detection) -> dict[str, Any]:
    """The columns of the boxes table for a readable image.

    The box is that of the highest score. Where this score is not above the threshold, `below_threshold` decides what is
    cropped: this box all the same, as by the released tool, the whole frame, or nothing (no box).

    Args:
        image: the detector's input.
        boxes: (queries, 4) float32, corners in fractions of the image.
        scores: (queries,) float32.
        detection: the settings.

    Returns:
        Column -> value; without the corners where there is no box.
    """
    size = np.array([image.width, image.height] * 2, dtype=np.float32)
    box, score = boxes[scores.argmax()], float(scores.max())
    detected = score > detection.score_threshold
    if not detected and detection.below_threshold == "full_frame":
        box = np.array([0, 0, 1, 1], dtype=np.float32)
    kept = detected or detection.below_threshold != "drop"
    return {
        "width": image.width,
        "height": image.height,
        **(dict(zip(CORNERS, (box * size).tolist(), strict=True)) if kept else {}),
        "score": score,
        "status": DETECTED if detected else BELOW_THRESHOLD,
        **quality_columns(image.pixels, boxes, scores),
    }


def batches_of_one_size(items: Iterable[Item], batch_size: int) -> Iterator[list[Item]]:
    """The items in batches whose inputs have one size; full batches, unless more sizes occur than WAITING_BATCHES."""
    waiting: dict[tuple[int, ...], list[Item]] = {}
    for item in items:
        group = waiting.setdefault(item.image.pixels.shape, [])
        group.append(item)
        if len(group) == batch_size or sum(map(len, waiting.values())) == WAITING_BATCHES * batch_size:
            largest = max(waiting, key=lambda shape: len(waiting[shape]))
            yield waiting.pop(largest)
    yield from waiting.values()


def _readable(
    archive: ZipReader, preprocessor: Preprocessor, machine: Machine, unreadable: Quarantine, progress: Progress
) -> Iterator[Item]:
    """The readable members, prepared a batch ahead; the others go to the quarantine."""

    def prepare(member: Member) -> PreparedImage | UnreadableImage:
        return unless_unreadable(preprocessor.prepare, archive.read(member))

    members = archive.members
    for row, image in enumerate(map_in_order(prepare, members, machine.decoders, ahead=machine.batch_size)):
        progress.advance()
        if isinstance(image, UnreadableImage):
            unreadable.add(members[row].image_file, image)
        else:
            yield Item(row, image)
