"""Clean an annotated image set once: every form of COCO file becomes one, held against the images and counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from bioscan1m.archives import Member, ZipReader
from bioscan1m.detector.annotations import (
    PLACEHOLDER,
    POLYGONS,
    AnnotatedImage,
    count_forms,
    pair_with_members,
    read_annotations,
    use_annotated,
    write_annotations,
)
from bioscan1m.images import image_size
from bioscan1m.tables import write_table


def clean_annotations(
    archive: str | Path, annotations: str | Path, cleaned: str | Path, counts: str | Path, image_set: str
) -> dict[str, int]:
    """Write the clean COCO file of an image set and a table of one row that counts what was found in it.

    Images come in the order of the zip, with the width and height that they have; boxes are cut off at their edges.
    Raises InputError that names the image for one that is missing, that cannot be read, or whose boxes do not fit it.
    """
    given = read_annotations(annotations)
    with ZipReader(archive) as images:
        members = len(images.members)
        pairs = pair_with_members(archive, given)
        found = [_with_size(annotated, images, member, archive) for member, annotated in pairs]
    write_annotations(cleaned, found)
    changed = sum(
        int((clean.boxes != annotated.boxes).any(axis=1).sum())
        for clean, (_, annotated) in zip(found, pairs, strict=True)
    )
    forms = count_forms(annotations)
    boxes = [len(image.boxes) for image in found]
    row = {
        "image_set": image_set,
        "images": len(found),
        "boxes": sum(boxes),
        "empty_wells": boxes.count(0),
        "images_with_several_boxes": sum(count > 1 for count in boxes),
        "placeholders_removed": forms[PLACEHOLDER],
        "boxes_from_polygons": forms[POLYGONS],
        "boxes_cut_at_the_edge": changed,
        "images_without_annotation": members - len(found),
    }
    write_table(counts, pd.DataFrame([row]))
    return {"in": members, "out": len(found)}


def _with_size(annotated: AnnotatedImage, images: ZipReader, member: Member, archive: str | Path) -> AnnotatedImage:
    """The image with the size that its file has; of a JPEG only the header is looked at."""
    size = use_annotated(annotated, images.read(member), image_size, archive)
    return replace(annotated, boxes=annotated.boxes_in(*size), size=size)
