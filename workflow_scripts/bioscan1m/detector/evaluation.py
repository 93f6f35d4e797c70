"""How well a detector finds insects: average precision and recall, as in the paper (A7.3.1).

AP at IoU 0.75 and AR averaged over IoU 0.50 to 0.95 in steps of 0.05, with at most 100 boxes an image, are computed by
pycocotools on the boxes of all queries. The mean IoU is of the best box of each image, which is the one that crops.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bioscan1m.boxes.geometry import intersection_over_union
from bioscan1m.detector.examples import Example
from bioscan1m.detector.model import Detector
from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.progress import Progress

# Places in COCOeval's table of twelve figures.
AP_50, AP_75, AR_50_95 = 1, 2, 8


@dataclass(frozen=True)
class Evaluated:
    """An example with what the detector found in it, in pixels of the photograph.

    boxes (queries, 4) and scores (queries,) are of all queries; `iou` is that of the best one with the true box that
    it overlaps most, NaN in an empty well.
    """

    example: Example
    boxes: np.ndarray
    scores: np.ndarray
    iou: float

    @property
    def best_box(self) -> np.ndarray:
        """The box (4,) of the highest score."""
        return self.boxes[self.scores.argmax()]


def evaluate(detector: Detector, examples: Sequence[Example], batch_size: int) -> list[Evaluated]:
    """Run the detector on examples, in batches of consecutive ones of the same size."""
    progress, evaluated = Progress("evaluating the detector", len(examples)), []
    for batch in _batches(examples, batch_size):
        found = detector.predict([example.image.pixels for example in batch])
        evaluated += [_evaluated(*one) for one in zip(batch, found.boxes, found.scores, strict=True)]
        progress.advance(len(batch))
    return evaluated


def metrics(evaluated: Sequence[Evaluated]) -> dict[str, float | int]:
    """ap_75, ar_50_95, images, boxes and mean_iou. Raises InputError where no image has a box."""
    boxes = sum(len(item.example.boxes) for item in evaluated)
    if not boxes:
        raise InputError("none of the validation images has a box; nothing can be measured")
    figures = coco_figures(evaluated)
    return {
        "ap_75": figures[AP_75],
        "ar_50_95": figures[AR_50_95],
        "images": len(evaluated),
        "boxes": boxes,
        "mean_iou": float(np.nanmean([item.iou for item in evaluated])),
    }


def coco_figures(evaluated: Sequence[Evaluated]) -> list[float]:
    """The twelve figures of COCO's evaluation of boxes, in its order."""
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        truth = COCO()
        truth.dataset = _coco_truth(evaluated)
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(_coco_results(evaluated)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(figure) for figure in evaluation.stats]


def fixed_box(examples: Sequence[Example]) -> list[Evaluated]:
    """The trivial detector: one and the same box in every image, that which fits these images best.

    Of all true boxes, as fractions of their images, and their median, it is the one with the highest mean IoU.
    """
    fractions = [box / _sides(example) for example in examples for box in example.boxes]
    candidates = np.array([*fractions, np.median(fractions, axis=0)]) if fractions else np.zeros((1, 4))
    fits = [np.mean(intersection_over_union(np.broadcast_to(box, candidates.shape), candidates)) for box in candidates]
    best = candidates[np.argmax(fits)][None]
    return [_evaluated(example, best, np.ones(1)) for example in examples]


def _batches(examples: Iterable[Example], batch_size: int) -> Iterable[list[Example]]:
    batch: list[Example] = []
    for example in examples:
        if batch and (len(batch) == batch_size or example.image.pixels.shape != batch[0].image.pixels.shape):
            yield batch
            batch = []
        batch.append(example)
    if batch:
        yield batch


def _evaluated(example: Example, boxes: np.ndarray, scores: np.ndarray) -> Evaluated:
    boxes = boxes.astype(np.float64) * _sides(example)
    best = np.broadcast_to(boxes[scores.argmax()], example.boxes.shape)
    iou = intersection_over_union(best, example.boxes).max(initial=0) if len(example.boxes) else np.nan
    return Evaluated(example, boxes, scores, float(iou))


def _sides(example: Example) -> np.ndarray:
    """Width, height, width, height of the photograph in pixels: what fractions are multiplied by."""
    return np.tile([example.image.width, example.image.height], 2)


def _coco_truth(evaluated: Sequence[Evaluated]) -> dict[str, Any]:
    boxes = [(index, box) for index, item in enumerate(evaluated) for box in _corner_and_size(item.example.boxes)]
    return {
        "images": [{"id": index} for index in range(len(evaluated))],
        "categories": [{"id": 0}],
        "annotations": [
            {"id": number, "image_id": index, "category_id": 0, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            for number, (index, box) in enumerate(boxes, start=1)
        ],
    }


def _coco_results(evaluated: Sequence[Evaluated]) -> list[dict[str, Any]]:
    return [
        {"image_id": index, "category_id": 0, "bbox": box, "score": float(score)}
        for index, item in enumerate(evaluated)
        for box, score in zip(_corner_and_size(item.boxes), item.scores, strict=True)
    ]


def _corner_and_size(boxes: np.ndarray) -> list[list[float]]:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
