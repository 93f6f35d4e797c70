"""Batches of annotated images for the training of a detector: order, flips, padding.

What is random in an epoch depends on the seed and the number of the epoch alone, so that training can go on after any
epoch as if it had not stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from bioscan1m.detector_examples import Example


@dataclass(frozen=True)
class Batch:
    """Inputs of one step, padded to the largest of them: pixels (N, 3, h, w) uint8, mask (N, h, w) 1 within an image.

    `labels` has for each image what the loss of DETR expects: class_labels (boxes,), and boxes (boxes, 4) as centre,
    width and height in fractions of the image.
    """

    pixels: torch.Tensor
    mask: torch.Tensor
    labels: list[dict[str, torch.Tensor]]


def epoch_batches(examples: Sequence[Example], settings: dict[str, Any], epoch: int) -> Iterator[Batch]:
    """All examples once, in random order, and with random flips where `settings` (the config's) wants them."""
    rng = np.random.default_rng((settings["seed"], epoch))
    order, size = rng.permutation(len(examples)), settings["batch_size"]
    flips = rng.random((len(examples), 2)) < 0.5 if settings["flip"] else np.zeros((len(examples), 2), dtype=bool)
    for start in range(0, len(order), size):
        places = order[start : start + size]
        yield collate([flipped(*as_fractions(examples[place]), *flips[place]) for place in places])


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


def collate(inputs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Batch:
    """A batch of pixels (3, h, w) and boxes (N, 4; centre, width, height in fractions), padded at right and bottom."""
    height, width = np.max([pixels.shape[1:] for pixels, _ in inputs], axis=0).tolist()
    padded = torch.zeros(len(inputs), 3, height, width, dtype=torch.uint8)
    mask = torch.zeros(len(inputs), height, width, dtype=torch.long)
    for index, (pixels, _) in enumerate(inputs):
        padded[index, :, : pixels.shape[1], : pixels.shape[2]] = torch.from_numpy(pixels.copy())
        mask[index, : pixels.shape[1], : pixels.shape[2]] = 1
    labels = [
        {"class_labels": torch.zeros(len(boxes), dtype=torch.long), "boxes": torch.from_numpy(boxes).float()}
        for _, boxes in inputs
    ]
    return Batch(padded, mask, labels)
