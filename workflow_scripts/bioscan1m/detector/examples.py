"""Annotated images as a detector learns from them and is measured on them: inputs in memory with their true boxes.

An image set is decoded once, at the size of the input; the paper's 2,000 images at 800x1066 pixels take 5 GB.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bioscan1m.detector.annotations import AnnotatedImage, pair_with_members, read_annotations, use_annotated
from bioscan1m.detector.preprocessing import PreparedImage, Preprocessor
from bioscan1m.foundation.archives import read_members
from bioscan1m.foundation.errors import UnreadableImage
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.streams import map_in_order


@dataclass(frozen=True)
class Example:
    """One annotated image: boxes (N, 4) float64 of x_min, y_min, x_max, y_max in pixels of the photograph."""

    image_file: str
    image: PreparedImage
    boxes: np.ndarray


def read_examples(
    archives: Sequence[str | Path], annotations: Sequence[str | Path], preprocessor: Preprocessor, threads: int
) -> list[Example]:
    """All annotated images of some image sets (a zip and a COCO file each), in the order of the zips.

    Raises InputError that names the image for one that cannot be read or whose boxes do not fit it.
    """
    pairs = zip(archives, annotations, strict=True)
    return [example for pair in pairs for example in _read_set(*pair, preprocessor, threads)]


def _read_set(
    archive: str | Path, annotations: str | Path, preprocessor: Preprocessor, threads: int
) -> Iterator[Example]:
    annotated = pair_with_members(archive, read_annotations(annotations))
    images = (image for _, image in annotated)
    files = (data for _, data in read_members(archive, [member for member, _ in annotated]))

    def example(pair: tuple[AnnotatedImage, bytes | UnreadableImage]) -> Example:
        return _example(*pair, preprocessor, archive)

    progress = Progress(f"reading {Path(archive).name}", len(annotated))
    for read in map_in_order(example, zip(images, files, strict=True), threads):
        progress.advance()
        yield read


def _example(
    annotated: AnnotatedImage, data: bytes | UnreadableImage, preprocessor: Preprocessor, archive: str | Path
) -> Example:
    image = use_annotated(annotated.image_file, data, preprocessor.prepare, archive)
    return Example(annotated.image_file, image, annotated.boxes_in(image.width, image.height))
