"""Clean the boxes of an annotated image set."""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bioscan1m.detector.annotations import AnnotatedImage, unusable, write_annotations
from bioscan1m.detector.coco_files import OTHER_CATEGORY, GivenImage, read_coco
from bioscan1m.detector.faults import Faults
from bioscan1m.detector.given_boxes import CROWD, PLACEHOLDER, POLYGONS
from bioscan1m.detector.image_names import find_members
from bioscan1m.detector.plausibility import PIXELS, Size, cut_at_edges, fit_boxes, is_scaled
from bioscan1m.foundation.archives import Member, ZipReader
from bioscan1m.foundation.errors import InputError, UnreadableImage, unless_unreadable
from bioscan1m.foundation.images import image_size, is_turned
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.jobs.context import job

logger = logging.getLogger(__name__)

ROUNDING = 1e-6  # pixels


def clean_annotations(
    archive: str | Path,
    annotations: str | Path,
    cleaned: str | Path,
    counts: str | Path,
    image_set: str,
    boxes: str = PIXELS,
    category: str | Sequence[str] | None = None,
) -> dict[str, int]:
    """Clean the annotations of an image set.

    Args:
        archive: zip of the images.
        annotations: their COCO file.
        cleaned: COCO file to write: images in the order of the zip with their real sizes, boxes cut off at the edges.
        counts: table of one row to write, with the numbers of images, boxes and changes.
        image_set: name of the image set.
        boxes: what the numbers of a box are: `pixels`, `normalised` or `corners`.
        category: names of the categories that are insects, or `all`; None where the file uses only one.

    Returns:
        The numbers of images in and out.

    Raises:
        InputError: the file is no COCO file, an image is missing or cannot be read, or boxes are not plausible; the
            message names all of them, the first twenty where they are many.
    """
    faults = Faults(annotations)
    given = read_coco(annotations, category, faults)
    with ZipReader(archive) as images:
        members = len(images.members)
        sized = _with_sizes(images, _members(archive, given.images, faults), archive, faults)
    fitted = fit_boxes([(image, size) for _, image, size in sized], boxes, faults)
    faults.refuse()
    inside = [cut_at_edges(of_image, size) for of_image, (_, _, size) in zip(fitted, sized, strict=True)]
    found = [
        AnnotatedImage(member.image_file, _without_repeats(of_image), size)
        for of_image, (member, _, size) in zip(inside, sized, strict=True)
    ]
    if repeated := sum(map(len, inside)) - sum(len(image.boxes) for image in found):
        logger.warning("%s: %d boxes are equal to another one of their image and are left out", annotations, repeated)
    write_annotations(cleaned, found)
    scaled = sum(is_scaled(image, size) for _, image, size in sized)
    cut = sum(int((abs(cut - whole) > ROUNDING).any(axis=1).sum()) for cut, whole in zip(inside, fitted, strict=True))
    row: dict[str, str | int] = {"image_set": image_set, **_counts(found, given.forms, members, cut, scaled)}
    _log(annotations, row)
    write_rows(counts, list(row), [row.values()])
    return {"in": members, "out": len(found)}


def _without_repeats(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4), each once: an insect may be annotated twice, as with two labels or in files that were joined."""
    return boxes[np.sort(np.unique(boxes, axis=0, return_index=True)[1])]


def _counts(found: list[AnnotatedImage], forms: Counter[str], members: int, cut: int, scaled: int) -> dict[str, int]:
    """The columns of the table of counts.

    Args:
        found: the clean images.
        forms: how many annotations are of each form or left out.
        members: number of images of the zip.
        cut: number of boxes that were cut off at an edge.
        scaled: number of images whose boxes were scaled.

    Returns:
        Column -> number.
    """
    boxes = [len(image.boxes) for image in found]
    return {
        "images": len(found),
        "boxes": sum(boxes),
        "empty_wells": boxes.count(0),
        "images_with_several_boxes": sum(count > 1 for count in boxes),
        "placeholders_removed": forms[PLACEHOLDER],
        "boxes_from_polygons": forms[POLYGONS],
        "boxes_cut_at_the_edge": cut,
        "images_without_annotation": members - len(found),
        "crowds_left_out": forms[CROWD],
        "boxes_of_other_categories": forms[OTHER_CATEGORY],
        "images_scaled": scaled,
    }


def _log(annotations: str | Path, row: dict[str, str | int]) -> None:
    logger.info("%s: %s", annotations, ", ".join(f"{name} {value}" for name, value in row.items()))
    if row["images_scaled"]:
        logger.warning(
            "%s: %d images have another size than stated, with the same ratio of the sides: their boxes are scaled",
            annotations,
            row["images_scaled"],
        )


def _members(archive: str | Path, images: Sequence[GivenImage], faults: Faults) -> list[tuple[Member, GivenImage]]:
    """The member of each image. Raises InputError, with all that is wrong, where it is not clear which."""
    try:
        return find_members(archive, [image for image in images if image.name], faults)
    except InputError as error:
        raise InputError("\n  ".join([str(error), *faults.found])) from None


def _with_sizes(
    images: ZipReader, pairs: list[tuple[Member, GivenImage]], archive: str | Path, faults: Faults
) -> list[tuple[Member, GivenImage, Size]]:
    """The images with the sizes of their files; of a JPEG only the header is read."""
    found, turned = [], 0
    for member, image in pairs:
        data = images.read(member)
        size = unless_unreadable(image_size, data)
        if isinstance(size, UnreadableImage):
            faults.add(f"{archive}: {unusable(image.name, size)}")
        else:
            found.append((member, image, size))
            turned += unless_unreadable(is_turned, data) is True
    if turned:
        words = "are turned upright by their EXIF orientation, and boxes are taken for those of the upright photographs"
        logger.warning("%s: %d photographs %s", faults.path, turned, words)
    return found


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs, params = snakemake.input, snakemake.output, snakemake.params
        record.images = clean_annotations(
            archive=inputs.images,
            annotations=inputs.annotations,
            cleaned=outputs.annotations,
            counts=outputs.counts,
            image_set=snakemake.wildcards.image_set,
            boxes=params.get("boxes", PIXELS),
            category=params.get("category"),
        )
