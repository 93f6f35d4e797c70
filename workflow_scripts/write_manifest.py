"""Turn your own images into the input of a run: a chunk manifest, and metadata in the published form.

    python workflow_scripts/write_manifest.py --images photographs more.zip --labels labels.tsv \\
        --label-columns order family --out runs/own

writes chunks.tsv and metadata.tsv to the folder `runs/own`. Each zip is one chunk. A folder, with all folders in it, is
one chunk as well; where it has more images than --images-per-chunk, it becomes several, zipped to runs/own/source/. The
images stay where they are, and must stay there until they were fetched.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from bioscan1m.errors import InputError
from bioscan1m.own_images import plan_chunks, write_own_manifest
from bioscan1m.own_labels import read_labels, write_own_metadata

logger = logging.getLogger("write_manifest")

WHAT_NEXT = """Next:
  1. Put a config.yaml into {run}, with these lines and the rest as in tests/demo/config.yaml or config.yaml:
       chunks: chunks.tsv
       metadata: {{source: metadata.tsv, checksum: null}}
  2. snakemake --directory {run} --profile profiles/demo --dry-run, and then without --dry-run."""


def prepare_run(
    images: list[Path],
    run: Path,
    images_per_chunk: int,
    labels: Path | None = None,
    image_column: str = "image_file",
    label_columns: list[str] | None = None,
) -> None:
    """Write chunks.tsv and metadata.tsv of a run on these folders and zips. All is checked before anything is written."""
    table = read_labels(labels, image_column, label_columns) if labels else None
    chunks = plan_chunks(images, images_per_chunk)
    write_own_metadata(chunks, table, run)
    write_own_manifest(chunks, run)
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
    parser.add_argument("--images-per-chunk", type=int, default=10_000, help="images in a chunk of a folder")
    return parser


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
