"""Annotation files that are not COCO, recognised so that a message can name the export to choose."""

from __future__ import annotations

import re
from typing import Any

# What an outermost object has in a format, all of them; the export to choose.
KEYS = (
    ({"_via_img_metadata"}, "a project of VIA", "Annotation > Export Annotations (COCO format)"),
    ({"shapes", "imagePath"}, "a file of labelme", "one COCO file of all images, as labelme2coco writes it"),
    ({"samples"}, "a dataset of FiftyOne", "dataset.export with dataset_type=fiftyone.types.COCODetectionDataset"),
    ({"items", "categories"}, "a file of Datumaro", "datum convert -f coco_instances"),
    ({"item", "annotations"}, "a file of V7 Darwin", "the export COCO"),
    ({"size", "objects"}, "a file of Supervisely", "the app Export to COCO"),
    ({"metadata", "instances"}, "a file of SuperAnnotate", "the conversion to COCO of its Python SDK"),
    ({"data_row"}, "an export of Labelbox", "its conversion to COCO"),
    ({"features", "type"}, "a GeoJSON file", "a COCO file with boxes in pixels"),
    ({"images", "detection_categories"}, "a file of MegaDetector", "a COCO file of boxes that a person has checked"),
    ({"file", "detections"}, "a list of detections", "a COCO file of boxes that a person has checked"),
)
# The same for the entries of a list, or for the values of an object with a key for each image.
KEYS_OF_ENTRIES = (
    ({"filename", "regions"}, "an annotation file of VIA", "Annotation > Export Annotations (COCO format)"),
    ({"fileref", "regions"}, "an annotation file of VIA", "Annotation > Export Annotations (COCO format)"),
    ({"data", "annotations"}, "Label Studio's own JSON", "the export COCO or COCO with Images"),
    ({"data", "completions"}, "Label Studio's own JSON", "the export COCO or COCO with Images"),
    ({"image", "annotations"}, "a file of Create ML", "the export COCO JSON"),
    ({"image", "annotation_id"}, "Label Studio's JSON-MIN", "the export COCO or COCO with Images"),
    ({"data_row"}, "an export of Labelbox", "its conversion to COCO"),
    ({"DataRow ID"}, "an export of Labelbox", "its conversion to COCO"),
    ({"image_id", "bbox", "score"}, "COCO results, detections without images", "the COCO file of the annotations"),
    ({"image_id", "bbox"}, "the annotations of a COCO file alone", "the whole COCO file, with `images`"),
    ({"file_name", "annotations"}, "a list of Detectron2", "a COCO file, as its convert_to_coco_json writes"),
    ({"shapes", "imagePath"}, "a list of labelme files", "one COCO file, as labelme2coco writes it"),
)
YOLO = re.compile(r"\s*\d+(\s+-?[\d.]+(e-?\d+)?){4,}\s*", re.ASCII | re.IGNORECASE)
COCO_EXPORT = "the export COCO"


def format_of_json(document: Any) -> str | None:
    """What a JSON file that is not COCO is, and the export to choose; None where it is not recognised."""
    if isinstance(document, dict):
        if found := _first(KEYS, document):
            return found
        if any(isinstance(key, str) and key.startswith("_via_") for key in document):
            return _words(KEYS[0][1], KEYS[0][2])
    entries = list(document.values()) if isinstance(document, dict) else document
    if isinstance(entries, list) and entries and isinstance(entries[0], dict):
        return _first(KEYS_OF_ENTRIES, entries[0])
    return None


def format_of_text(text: str) -> str | None:
    """The same for a file that is not JSON."""
    start = text.lstrip("\ufeff \t\r\n")
    first = start.partition("\n")[0].lower()
    if start.startswith("<"):
        head = start[:2000]
        if "<annotations" in head:
            return _words("an XML file of CVAT", "the export COCO 1.0")
        if "<annotation" in head:
            return _words("a file of Pascal VOC", "one COCO file of all images; every label tool exports it")
        return _words("an XML or HTML file", COCO_EXPORT)
    if YOLO.fullmatch(first):
        return _words("a file of YOLO", "the export COCO, one file of all images")
    if re.match(r"(path|train|val|nc|names)\s*:", first):
        return _words("the YAML file of a YOLO dataset", "the export COCO, one file of all images")
    if start.startswith(("{", "[")):
        lines = start.splitlines()[:2]
        if len(lines) == 2 and lines[0].rstrip().endswith("}") and lines[1].startswith("{"):
            return _words("a file with an object on each line", "one object with `images` and `annotations`")
    elif re.match(r"\W*filename\W", first) or first.count(",") >= 3 or "\t" in first:
        return _words("a table", "a COCO file, such as VIA's Annotation > Export Annotations (COCO format)")
    return None


def _first(formats: tuple[tuple[set[str], str, str], ...], found: dict[str, Any]) -> str | None:
    return next((_words(name, export) for keys, name, export in formats if keys <= found.keys()), None)


def _words(name: str, export: str) -> str:
    return f"this is {name}, not a COCO file; choose {export}"
