"""Make the input of the demo: chunk zips of synthetic specimens, their metadata, annotated wells and a chunk manifest.

    python workflow_scripts/make_demo_data.py --out runs/demo --config tests/demo/config.yaml

writes `source/` (the zips, the metadata, COCO annotations, and truth.tsv with the true boxes, which only tests read),
`chunks.tsv`, which points to the zips by file:// addresses with their checksums, and a copy of the config. A stamp,
written last, holds the settings: a second call with the same ones does nothing. The config and `chunks.tsv` are left as
they are where someone has edited them; the demo's own are in `source/`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import tempfile
from pathlib import Path

from bioscan1m.foundation.atomic import write_json, write_text
from bioscan1m.foundation.commands import as_command
from bioscan1m.foundation.sources import Source
from bioscan1m.foundation.tsv import write_rows
from bioscan1m.jobs.code_digest import code_digest
from bioscan1m.plan.manifest import write_manifest
from synthetic.dataset import PlannedWell, plan_chunk, write_annotated, write_chunk
from synthetic.records import COLUMNS, metadata_row

logger = logging.getLogger("make_demo_data")

STAMP = "demo_data.json"
OWN_MANIFEST = "source/chunks.tsv"
# Numbers of the annotated sets among the chunks: far from the real ones, so that plates and random streams differ.
ANNOTATED_SETS = {"training": 91, "validation": 92}


def make_demo_data(out: Path, settings: dict) -> None:
    """Write the whole dataset below `out`, unless its stamp is there; settings as in `_arguments`."""
    # The folder is part of the recipe because the manifest holds its address.
    recipe = {"folder": out.resolve().as_uri(), "settings": settings, "generator": code_digest("make_demo_data")}
    if _is_made(out, recipe):
        logger.info("%s: nothing to do, made before with the same settings", out)
        replace_unless_edited(out / "chunks.tsv", (out / OWN_MANIFEST).read_text(encoding="utf-8"))
        return
    (out / STAMP).unlink(missing_ok=True)
    seed, images = settings["seed"], settings["images_per_chunk"]
    chunks = {chunk: plan_chunk(seed, chunk, images) for chunk in range(1, settings["chunks"] + 1)}
    _write_chunks(out, chunks, settings)
    rows = (metadata_row(well, seed) for wells in chunks.values() for well in wells)
    write_rows(out / "source/BIOSCAN_Insect_Dataset_metadata.tsv", COLUMNS, rows)
    for role, number in ANNOTATED_SETS.items():
        path = out / f"source/annotated_{role}.zip"
        wells = plan_chunk(seed, number, settings[f"annotated_{role}"])
        write_text(path.with_suffix(".json"), json.dumps(write_annotated(path, wells, seed, _size(settings))))
    files = sorted(path for path in (out / "source").iterdir() if path.suffix != ".yaml")
    sizes = {path.relative_to(out).as_posix(): path.stat().st_size for path in files}
    write_json(out / STAMP, {**recipe, "files": sizes})


def _is_made(out: Path, recipe: dict) -> bool:
    """Whether the stamp names this recipe and all its files are there in their full size."""
    if not (out / STAMP).exists():
        return False
    stamp = json.loads((out / STAMP).read_text(encoding="utf-8"))
    paths = {out / name: size for name, size in stamp.pop("files").items()}
    return stamp == recipe and all(path.exists() and path.stat().st_size == size for path, size in paths.items())


def _write_chunks(out: Path, chunks: dict[int, list[PlannedWell]], settings: dict) -> None:
    """The chunk zips, the manifest that points to them, and the true boxes."""
    manifest: dict[str, Source] = {}
    truth = []
    for chunk, wells in chunks.items():
        path = out / f"source/bioscan_images_original_full_part{chunk}.zip"
        boxes = write_chunk(path, wells, settings["seed"], _size(settings))
        truth += [[well.image_file, *(box or [""] * 4)] for well, box in zip(wells, boxes, strict=True)]
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        manifest[str(chunk)] = {
            "source": path.resolve().as_uri(),
            "bytes": path.stat().st_size,
            "checksum": f"sha256:{checksum}",
        }
    write_rows(out / "source/truth.tsv", ("image_file", "x_min", "y_min", "x_max", "y_max"), truth)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chunks.tsv"
        write_manifest(path, manifest)
        replace_unless_edited(out / path.name, path.read_text(encoding="utf-8"))


def replace_unless_edited(path: Path, text: str) -> None:
    """Write a file that a user may edit, and the same in `source/` beside it.

    Where it is neither what it was written as nor `text`, it was edited: it is left as it is, which is logged. Where
    nothing in `source/` shows that, as in a folder of version 0.1.0, it is kept beside the new one.
    """
    own = path.parent / "source" / path.name
    found, written = (one.read_text(encoding="utf-8") if one.exists() else None for one in (path, own))
    own.parent.mkdir(parents=True, exist_ok=True)
    if found in (None, written) and found != text:
        write_text(path, text)
    elif found != text and written is None:
        path.replace(path.with_name(f"{path.name}.before"))
        write_text(path, text)
        logger.warning("%s is the demo's; the one that was there is now %s.before", path, path.name)
    elif found != text:
        logger.warning("%s was edited, so it is used as it is; remove it to have that of the demo", path)
    if written != text:
        write_text(own, text)


def _size(settings: dict) -> tuple[int, int]:
    """Width and height of the pictures; 4 to 3 as the originals' 2880x2160."""
    return settings["width"], settings["width"] * 3 // 4


def _arguments() -> argparse.ArgumentParser:
    """The command line; the defaults make the dataset of `make demo`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--config", type=Path, help="config to copy there")
    parser.add_argument("--chunks", type=int, default=3, help="chunk zips, from 2 to 90; default: %(default)s")
    parser.add_argument("--images-per-chunk", type=int, default=400, help="at least 10; default: %(default)s")
    parser.add_argument("--width", type=int, default=640, help="in pixels, height is 3/4 of it; default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--annotated-training", type=int, default=240, help="wells with boxes; default: %(default)s")
    parser.add_argument("--annotated-validation", type=int, default=60, help="wells with boxes; default: %(default)s")
    return parser


def main() -> None:
    """Read the command line and make the data."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = _arguments()
    settings = vars(parser.parse_args())
    if not 2 <= settings["chunks"] < min(ANNOTATED_SETS.values()):
        parser.error(f"--chunks {settings['chunks']}: choose from 2 (two chunks hold a bad file each) to 90")
    least = {"images_per_chunk": 10, "annotated_training": 10, "annotated_validation": 10, "width": 64}
    for option, lowest in least.items():
        if settings[option] < lowest:
            parser.error(f"--{option.replace('_', '-')} {settings[option]}: choose at least {lowest}")
    out, config = settings.pop("out"), settings.pop("config")
    if config is not None:
        replace_unless_edited(out / config.name, config.read_text(encoding="utf-8"))
    make_demo_data(out, settings)


if __name__ == "__main__":
    as_command(main)
