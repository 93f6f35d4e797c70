"""Turn your own images into the input of a run: a chunk manifest, metadata in the published form, and a config.

    python workflow_scripts/write_manifest.py --images photographs more.zip --labels labels.tsv \\
        --label-columns order family --out runs/own

writes chunks.tsv, metadata.tsv and config.yaml to the folder `runs/own`. The config has one experiment for each label
column. Each zip is one chunk. A folder, with all folders in it, is
one chunk as well; where it has more images than --images-per-chunk, it becomes several, zipped to runs/own/source/. The
images stay where they are, and must stay there until they were fetched. Images that come later go into a new folder,
named last: then the chunks that are there stay as they are.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from bioscan1m.errors import InputError
from bioscan1m.plan.own_config import write_own_config
from bioscan1m.plan.own_images import plan_chunks, write_own_manifest
from bioscan1m.plan.own_labels import read_labels, write_own_metadata

logger = logging.getLogger("write_manifest")

WHAT_NEXT = """Next:
  1. Look at {run}/config.yaml: packages.attributes (whose images these are), detector (what crops them), and
     classifier (how it is trained; one experiment for each of --label-columns).
  2. .venv/bin/snakemake --directory {run} --profile profiles/demo --dry-run, and then without --dry-run."""


def prepare_run(
    images: list[Path],
    run: Path,
    images_per_chunk: int,
    labels: Path | None = None,
    image_column: str = "image_file",
    label_columns: list[str] | None = None,
) -> None:
    """Write chunks.tsv, metadata.tsv and config.yaml of a run on these folders and zips. All is checked first."""
    table = read_labels(labels, image_column, label_columns) if labels else None
    chunks = plan_chunks(images, images_per_chunk)
    write_own_metadata(chunks, table, run)
    write_own_manifest(chunks, run)
    write_own_config(run, label_columns or [])
    logger.info("%s: %d chunks", run / "chunks.tsv", len(chunks))


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="folders and zips, in this order")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--labels", type=Path, help="a tab-separated table with one row per image")
    parser.add_argument(
        "--image-column", default="image_file", help="the column that names the image, with its folders or without"
    )
    parser.add_argument(
        "--label-columns", nargs="+", help="the columns to keep; by default those of the published metadata"
    )
    parser.add_argument("--images-per-chunk", type=_count, default=10_000, help="images in a chunk of a folder")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no number above 0")
    return int(text)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = arguments().parse_args()
    try:
        prepare_run(
            given.images, given.out, given.images_per_chunk, given.labels, given.image_column, given.label_columns
        )
    except InputError as error:
        sys.exit(f"write_manifest: {error}")
    logger.info(WHAT_NEXT.format(run=given.out))
