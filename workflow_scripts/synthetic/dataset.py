"""The synthetic dataset: chunk zips with their metadata, and annotated wells, laid out as the published ones are.

Every well has its own random stream, seeded by (seed, chunk, number of the well), and every chunk its own plan. So the
bytes depend neither on the number of processes nor on how many chunks are made, and a fourth chunk can be added later.
What goes wrong in reality goes wrong here too: some wells are empty, one file is cut off, one is no image.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bioscan1m.foundation.archives import ZipWriter
from bioscan1m.foundation.images import encode_jpeg
from bioscan1m.foundation.progress import Progress
from synthetic.polygons import outlines
from synthetic.taxonomy import Taxon, plan_specimens
from synthetic.wells import Box, render_well

PROCESSES = 2
FIRST_PLATE = 73000  # plates are numbered from here, PLATES_PER_CHUNK to a chunk
PLATES_PER_CHUNK = 200
WELLS_PER_PLATE = 95  # of 96; the last one holds the control
EMPTY_SHARE = 0.0125  # of the wells of a chunk
TRUNCATED_IN_CHUNK = 1
NO_IMAGE_IN_CHUNK = 2
CATEGORY = {"id": 0, "name": "insect", "supercategory": "animal"}


@dataclass(frozen=True)
class PlannedWell:
    """One well before it is drawn: what is or was in it, and what becomes of its file (intact, truncated, no image)."""

    chunk: int
    number: int  # from 1, in the order of the zip
    taxon: Taxon
    empty: bool
    file: str

    @property
    def sample(self) -> str:
        """Plate and position, such as BIOUG73231-D12: the sampleid, and the name of the image file."""
        plate, position = divmod(self.number - 1, WELLS_PER_PLATE)
        row, column = divmod(position, 12)
        plate_number = FIRST_PLATE + self.chunk * PLATES_PER_CHUNK + plate
        return f"BIOUG{plate_number}-{'ABCDEFGH'[row]}{column + 1:02d}"

    @property
    def image_file(self) -> str:
        """Name of the image file, without folders."""
        return f"{self.sample}.jpg"


@dataclass(frozen=True)
class Photograph:
    """The file of one well; box in pixels (None where no insect can be seen), polygons as in COCO."""

    data: bytes
    box: Box | None
    polygons: list[list[float]]
    area: int


def plan_chunk(seed: int, chunk: int, images: int) -> list[PlannedWell]:
    """The wells of one chunk in the order of the zip.

    The empty wells and the two bad files are taken from the largest order, so that the tail keeps its specimens.
    """
    rng = np.random.default_rng([seed, chunk])
    specimens = plan_specimens(images)
    specimens = [specimens[index] for index in rng.permutation(images)]
    flies = rng.permutation([index for index, taxon in enumerate(specimens) if taxon.order == "Diptera"]).tolist()
    empty = set(flies[2 : 2 + max(1, round(images * EMPTY_SHARE))])
    files = {}
    if chunk == TRUNCATED_IN_CHUNK:
        files[flies[0]] = "truncated"
    if chunk == NO_IMAGE_IN_CHUNK:
        files[flies[1]] = "no image"
    return [
        PlannedWell(chunk, index + 1, taxon, empty=index in empty, file=files.get(index, "intact"))
        for index, taxon in enumerate(specimens)
    ]


def photograph(well: PlannedWell, seed: int, size: tuple[int, int], annotated: bool) -> Photograph:
    """Draw one well and encode it as JPEG; polygons are traced only for annotated images."""
    rng = np.random.default_rng([seed, well.chunk, well.number])
    drawn = render_well(rng, None if well.empty else well.taxon, size)
    data = encode_jpeg(drawn.image, int(rng.integers(70, 93)))
    if well.file == "truncated":
        return Photograph(data[: len(data) // 2], None, [], 0)
    if well.file == "no image":
        return Photograph(b"The camera gave no picture of this well.\n", None, [], 0)
    return Photograph(data, drawn.box, outlines(drawn.mask) if annotated else [], int(drawn.mask.sum()))


def photograph_all(
    wells: list[PlannedWell], seed: int, size: tuple[int, int], what: str, annotated: bool = False
) -> Iterator[tuple[PlannedWell, Photograph]]:
    """Draw the wells with all processes; they come in the order given."""
    progress = Progress(what, len(wells))
    count = len(wells)
    with ProcessPoolExecutor(PROCESSES) as pool:
        drawn = pool.map(photograph, wells, [seed] * count, [size] * count, [annotated] * count, chunksize=8)
        for well, image in zip(wells, drawn, strict=True):
            progress.advance()
            yield well, image


def write_chunk(path: Path, wells: list[PlannedWell], seed: int, size: tuple[int, int]) -> list[Box | None]:
    """Write the zip of one chunk, members `part{chunk}/{image_file}`; returns the true boxes in the same order."""
    boxes = []
    with ZipWriter(path) as archive:
        for well, image in photograph_all(wells, seed, size, path.name):
            archive.add(f"part{well.chunk}/{well.image_file}", image.data)
            boxes.append(image.box)
    return boxes


def write_annotated(path: Path, wells: list[PlannedWell], seed: int, size: tuple[int, int]) -> dict:
    """Write the zip of an annotated image set; returns its COCO annotations (empty wells have an image entry only)."""
    images: list[dict] = []
    annotations: list[dict] = []
    with ZipWriter(path) as archive:
        for number, (well, image) in enumerate(photograph_all(wells, seed, size, path.name, annotated=True), start=1):
            archive.add(well.image_file, image.data)
            images.append({"id": number, "file_name": well.image_file, "width": size[0], "height": size[1]})
            if image.box:
                annotations.append(_annotation(number, len(annotations) + 1, image, image.box))
    return {"images": images, "annotations": annotations, "categories": [CATEGORY]}


def _annotation(image_id: int, number: int, image: Photograph, box: Box) -> dict:
    x_min, y_min, x_max, y_max = box
    return {
        "id": number,
        "image_id": image_id,
        "category_id": CATEGORY["id"],
        "bbox": [x_min, y_min, x_max - x_min, y_max - y_min],
        "segmentation": image.polygons,
        "area": image.area,
        "iscrowd": 0,
    }
