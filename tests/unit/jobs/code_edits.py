"""Edits of this project's own code, each with the scripts of the rules that it makes run again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Change(NamedTuple):
    """What is done to a file of workflow_scripts: text that is there, and what takes its place; or where it moves."""

    file: str
    old: str = ""
    new: str = ""
    moves_to: str = ""


class Edit(NamedTuple):
    """An edit by name; its changes, and the scripts of the rules that run again."""

    name: str
    runs: set[str]
    changes: tuple[Change, ...]


def apply(changes: Iterable[Change], scripts: Path) -> None:
    """Make changes to a copy of workflow_scripts, each in the place where it was meant to be and in no other."""
    for change in changes:
        path = scripts / change.file
        if change.moves_to:
            (scripts / change.moves_to).parent.mkdir(exist_ok=True)
            path.rename(scripts / change.moves_to)
            _rename_module(scripts, change.file, change.moves_to)
            continue
        text = path.read_text(encoding="utf-8")
        assert change.old in text, f"{change.file} has no longer: {change.old}"
        path.write_text(text.replace(change.old, change.new), encoding="utf-8")


def _rename_module(scripts: Path, old: str, new: str) -> None:
    before, after = (name.removesuffix(".py").replace("/", ".") for name in (old, new))
    for path in scripts.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(f"from {before} import", f"from {after} import"), encoding="utf-8")


LIBRARY = "bioscan1m"
IMAGES, STREAMS, ARCHIVES = (f"{LIBRARY}/foundation/{name}.py" for name in ("images", "streams", "archives"))
SIGNATURES = f"{LIBRARY}/foundation/image_signatures.py"
BOXES, QUALITY = f"{LIBRARY}/boxes/geometry.py", f"{LIBRARY}/boxes/quality.py"
DETECTION, SPLITS = f"{LIBRARY}/crop/detection.py", f"{LIBRARY}/metadata/splits.py"
CROPPING, CONTEXT = "crop_chunk.py", f"{LIBRARY}/jobs/context.py"
ON_DISK, ON_MEMORY = f"{LIBRARY}/foundation/disk_errors.py", f"{LIBRARY}/networks/device_memory.py"
TABLE_5 = f"{LIBRARY}/foundation/published/table5_test.tsv"

NOTHING: set[str] = set()
# What looks at images with a trained network, and what decodes an image and may give the reason why it could not.
DETECTING = {"detect_insects", "evaluate_detector", "draw_detector_gallery"}
CLASSIFYING = {"compute_features", "train_classifier", "test_classifier", "embed_images", "predict_photographs"}
DECODING = {
    *("crop_chunk", "draw_classes", "draw_crops", "draw_doubtful", "draw_experiment", "find_label_errors"),
    *("list_unusable_images", "clean_annotations", "fetch_detector", "fine_tune_detector"),
    *("hash_images", "measure_channels", "resize_chunk", "show_predictions"),
    *DETECTING,
    *CLASSIFYING,
}
WRITING_ZIPS = {"crop_chunk", "fetch_chunk", "fetch_file", "pack_zip", "resize_chunk"}
OF_RECTANGLES = {"crop_chunk", "draw_crops", "draw_detector_gallery", "draw_doubtful"}
OF_SPLITS = {"build_splits"}
BESIDE_THE_PAPER = {
    "compare_packages",
    "list_unusable_images",
    "select_trial",
    "summarise_dataset",
    "summarise_experiments",
    "tabulate_detector",
    "tabulate_released",
}

SIDES = "    sides = np.clip(boxes[..., 2:] - boxes[..., :2], 0, None)\n    return sides[..., 0] * sides[..., 1]\n"
INLINED = (
    "    return np.clip(boxes[..., 2] - boxes[..., 0], 0, None) * np.clip(boxes[..., 3] - boxes[..., 1], 0, None)\n"
)
WRITTEN = "    written = 0\n    with ZipReader(source)"
NEW_CHECK = (
    '    if min(image.size) < 8:\n        raise UnreadableImage("too small")\n    return image\n\n\ndef _require_size'
)
UNUSED = "\n\ndef sharpest(pixels: np.ndarray) -> float:\n    return float(pixels.max())\n"
LISTED = "    members = list_members(chunk)\n"
WARNED = '    if not members:\n        logging.warning("%s: no images", chunk)\n'
GREY = "GREY[0] * inside[0] + GREY[1] * inside[1] + GREY[2] * inside[2]"
GREY_FUNCTION = "\n\ndef _grey(inside: np.ndarray) -> np.ndarray:\n    return " + GREY + "\n"

EDITS = (
    # What no result has in it.
    Edit("a reworded message", NOTHING, (Change(DETECTION, 'logger.info("%s: %s"', 'logger.info("boxes of %s: %s"'),)),
    Edit("a new log line", NOTHING, (Change(STREAMS, WRITTEN, f"    logging.info('%d', len(members))\n{WRITTEN}"),)),
    Edit("a new warning with its condition", NOTHING, (Change(CROPPING, LISTED, LISTED + WARNED),)),
    Edit("a reworded error", NOTHING, (Change(ARCHIVES, "not a readable zip file", "cannot be read as a zip file"),)),
    Edit(
        "advice on disks",
        NOTHING,
        (Change(ON_DISK, "make room within", "free some of"),),
    ),
    Edit(
        "advice on memory",
        NOTHING,
        (Change(ON_MEMORY, "out of memory", "no memory left"),),
    ),
    Edit("progress", NOTHING, (Change(f"{LIBRARY}/foundation/progress.py", "_LINES = 10.0", "_LINES = 60.0"),)),
    Edit(
        "another title of progress", NOTHING, (Change(STREAMS, "Progress(Path(output).name", "Progress(str(output)"),)
    ),
    Edit(
        "the record of a job",
        NOTHING,
        (Change(CONTEXT, '"machine": machine()', '"node": machine()'),),
    ),
    Edit("a docstring", NOTHING, (Change(BOXES, '"""Areas (N,) in square pixels', '"""The areas (N,)'),)),
    Edit("a comment", NOTHING, (Change(QUALITY, "# Of the image's area", "# As a share of the image"),)),
    Edit("an annotation", NOTHING, (Change(BOXES, "box: Sequence[float], crop", "box: list[float], crop"),)),
    Edit("a moved module", NOTHING, (Change(QUALITY, moves_to=f"{LIBRARY}/crop/trust.py"),)),
    Edit("a moved module of many users", NOTHING, (Change(IMAGES, moves_to=f"{LIBRARY}/networks/photographs.py"),)),
    Edit("a renamed function", NOTHING, (Change(IMAGES, "_to_rgb(", "_as_rgb("),)),
    Edit("a new function that nothing uses", NOTHING, (Change(QUALITY, "GREY = ", f"{UNUSED}\n\nGREY = "),)),
    Edit(
        "a pause between tries",
        {"fetch_chunk", "fetch_file"},
        (Change(f"{LIBRARY}/fetch/verified.py", "2 **", "3 **"),),
    ),
    # What computes.
    Edit("another rounding", OF_RECTANGLES, (Change(BOXES, "int(round(value, 6))", "int(round(value, 5))"),)),
    Edit("another interpolation", CLASSIFYING, (Change(IMAGES, ".BILINEAR", ".BICUBIC"),)),
    Edit(
        "another scale of decoding",
        {"resize_chunk"},
        (Change("resize_chunk.py", "DECODED_SIDES = 4", "DECODED_SIDES = 2"),),
    ),
    Edit(
        "a new quarantine rule",
        DECODING | {"import_detector"},
        (Change(IMAGES, "    return image\n\n\ndef _require_size", NEW_CHECK),),
    ),
    Edit("a reworded reason of the quarantine", DECODING, (Change(SIGNATURES, "not an image (", "no image at all ("),)),
    Edit("no annotations", NOTHING, (Change(BOXES, "aspect: Sequence[float], rotate: bool", "aspect, rotate"),)),
    Edit(
        "another default",
        {"fine_tune_detector"},
        (Change(f"{LIBRARY}/detector/batches.py", "padded_boxes: bool = False", "padded_boxes: bool = True"),),
    ),
    Edit(
        "a default that is new", OF_RECTANGLES, (Change(BOXES, "rotate: bool) -> np", "rotate: bool = False) -> np"),)
    ),
    Edit("another constant", {"detect_insects"}, (Change(QUALITY, "TINY = 0.002", "TINY = 0.003"),)),
    Edit(
        "a comparison with or without the limit",
        {"detect_insects"},
        (Change(DETECTION, "score > det", "score >= det"),),
    ),
    Edit(
        "a field of a dataclass",
        OF_SPLITS,
        (Change(SPLITS, "    roles: np.ndarray  #", "    seed: int = 0\n    roles: np.ndarray  #"),),
    ),
    Edit(
        "an inlined step",
        {"detect_insects", "evaluate_detector", "fine_tune_detector"},
        (Change(BOXES, SIDES, INLINED),),
    ),
    Edit(
        "a function taken out of another",
        {"detect_insects"},
        (
            Change(QUALITY, f"grey = {GREY}", "grey = _grey(inside)"),
            Change(QUALITY, "\n\ndef sharpness", f"{GREY_FUNCTION}\n\ndef sharpness"),
        ),
    ),
    Edit(
        "a check whose number is for progress",
        {"pack_hdf5", "pack_zip"},
        (Change(f"{LIBRARY}/package/shards.py", "if member.image_file in shard_of", "if member.name in shard_of"),),
    ),
    Edit("the bytes of a zip", WRITING_ZIPS, (Change(ARCHIVES, "0o644 << 16", "0o600 << 16"),)),
    Edit(
        "an optimizer",
        {"train_classifier"},
        (Change(f"{LIBRARY}/experiments/optimization.py", "nesterov=mo", "nesterov=not mo"),),
    ),
    Edit(
        "the split rule",
        OF_SPLITS,
        (Change(f"{LIBRARY}/metadata/split_rule.py", "3 <= images <= 5", "3 <= images <= 6"),),
    ),
    Edit(
        "a published figure",
        BESIDE_THE_PAPER,
        (Change(TABLE_5, "\n", "\t\n"),),
    ),
    Edit(
        "another library function of the same name",
        {"pack_zip"},
        (Change("pack_zip.py", "from bioscan1m.package.shards import", "from bioscan1m.package.images import"),),
    ),
)
