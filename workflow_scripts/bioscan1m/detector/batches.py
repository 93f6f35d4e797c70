"""Batches of annotated images for the training of a detector: order, flips, scale, padding.

The random choices of an epoch depend only on the seed and the number of the epoch, so that training can continue after
any batch as if it had not stopped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from bioscan1m.detector.examples import Example
from bioscan1m.detector.preprocessing import Preprocessor, resized
from bioscan1m.detector.settings import FineTuning


@dataclass(frozen=True)
class AnnotatedBatch:
    """Inputs of one step, padded to the largest of them: pixels (N, 3, h, w) uint8, mask (N, h, w) 1 within an image.

    `labels` has for each image what the loss of DETR expects: class_labels (boxes,), and boxes (boxes, 4) as centre,
    width and height in fractions of the image, or of the image with its padding.
    """

    pixels: torch.Tensor
    mask: torch.Tensor
    labels: list[dict[str, torch.Tensor]]


def epoch_batches(
    examples: Sequence[Example],
    settings: FineTuning,
    epoch: int,
    preprocessor: Preprocessor,
    padded_boxes: bool,
    done: int = 0,
) -> Iterator[AnnotatedBatch]:
    """All examples once, in random order, each batch at one of the scales; without the first `done` batches.

    Args:
        examples: the training images.
        settings: seed, size of a batch, flips and scales.
        epoch: number of the epoch, from 1.
        preprocessor: the sizes that an input can have.
        padded_boxes: boxes are fractions of the padded image, for detectors without a mask of the padding.
        done: batches to leave out.

    Yields:
        The batches.
    """
    rng = np.random.default_rng((settings.seed, epoch))
    order, size = rng.permutation(len(examples)), settings.batch_size
    flips = rng.random((len(examples), 2)) < 0.5 if settings.flip else np.zeros((len(examples), 2), dtype=bool)
    scales = rng.choice(settings.scales, math.ceil(len(examples) / size))
    for start in range(done * size, len(order), size):
        places = order[start : start + size]
        inputs = [flipped(*as_fractions(examples[place]), *flips[place]) for place in places]
        scaled = [scaled_down(image, preprocessor, scales[start // size]) for image, _ in inputs]
        yield collate(list(zip(scaled, (boxes for _, boxes in inputs), strict=True)), padded_boxes)


def as_fractions(example: Example) -> tuple[np.ndarray, np.ndarray]:
    """The input (3, h, w) of an example, and its boxes (N, 4) as centre, width and height in fractions of the image."""
    scaled = example.boxes / np.tile([example.image.width, example.image.height], 2)
    low, high = scaled[:, :2], scaled[:, 2:]
    return example.image.pixels, np.concatenate([(low + high) / 2, high - low], axis=1)


def flipped(
    pixels: np.ndarray, boxes: np.ndarray, horizontally: bool, vertically: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (3, h, w) and boxes (N, 4; centre, width, height in fractions), mirrored."""
    boxes = boxes.copy()
    for mirrored, axis, centre in ((horizontally, 2, 0), (vertically, 1, 1)):
        if mirrored:
            pixels = np.flip(pixels, axis)
            boxes[:, centre] = 1 - boxes[:, centre]
    return pixels, boxes


def scaled_down(pixels: np.ndarray, preprocessor: Preprocessor, scale: float) -> np.ndarray:
    """Pixels (3, h, w) at `scale` (at most 1) of their sides, with antialiasing, in a size that an input can have."""
    height, width = (preprocessor.rounded(side * scale) for side in pixels.shape[1:])
    if (height, width) == pixels.shape[1:]:
        return pixels
    return resized(Image.fromarray(pixels.transpose(1, 2, 0)), (width, height))


def collate(inputs: Sequence[tuple[np.ndarray, np.ndarray]], padded_boxes: bool = False) -> AnnotatedBatch:
    """A batch of pixels (3, h, w) and boxes (N, 4; centre, width, height in fractions), padded at right and bottom."""
    height, width = np.max([pixels.shape[1:] for pixels, _ in inputs], axis=0).tolist()
    padded = torch.zeros(len(inputs), 3, height, width, dtype=torch.uint8)
    mask = torch.zeros(len(inputs), height, width, dtype=torch.long)
    for index, (pixels, _) in enumerate(inputs):
        padded[index, :, : pixels.shape[1], : pixels.shape[2]] = torch.from_numpy(pixels.copy())
        mask[index, : pixels.shape[1], : pixels.shape[2]] = 1
    labels = []
    for pixels, boxes in inputs:
        share = np.tile([pixels.shape[2] / width, pixels.shape[1] / height], 2) if padded_boxes else 1
        of_classes = torch.zeros(len(boxes), dtype=torch.long)
        labels.append({"class_labels": of_classes, "boxes": torch.from_numpy(boxes * share).float()})
    return AnnotatedBatch(padded, mask, labels)
