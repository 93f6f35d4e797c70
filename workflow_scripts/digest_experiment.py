"""Digest the images, roles and labels of one experiment.

So a package that is made anew, or grows by images of other experiments, leaves the trained models valid.
"""

import hashlib
from pathlib import Path

from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.progress import Progress
from bioscan1m.foundation.tables import read_parquet
from bioscan1m.jobs.context import job
from bioscan1m.package.images import ImagePackage

MISSING = "missing"
IMAGES_PER_STEP = 1000


def digest_experiment(split: str | Path, package: str | Path, experiment: str, digest: str | Path) -> dict[str, int]:
    """Write {experiment, images, missing, sha256} as JSON and return the counts of images.

    `sha256` is over one line `image_file, role, label, SHA-256 of the image's bytes` per row of the split, separated by
    tabs and sorted by image_file; an image that the package lacks has the word missing for its digest.
    """
    table = read_parquet(split, columns=["image_file", "role", "label"]).sort_by("image_file")
    images, progress = ImagePackage(package), Progress(f"digest {experiment}", table.num_rows)
    total, missing = hashlib.sha256(), 0
    for batch in table.to_batches(IMAGES_PER_STEP):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            image = _digest(images, row[0])
            missing += image == MISSING
            total.update("\t".join([*row, image]).encode() + b"\n")
        progress.advance(len(batch))
    counts = {"images": table.num_rows, "missing": missing}
    write_json(digest, {"experiment": experiment, **counts, "sha256": total.hexdigest()})
    return {"in": table.num_rows, "out": table.num_rows - missing}


def _digest(images: ImagePackage, image_file: str) -> str:
    try:
        return hashlib.sha256(images[image_file]).hexdigest()
    except KeyError:
        return MISSING


if __name__ == "__main__":
    with job(snakemake) as record:
        inputs, outputs = snakemake.input, snakemake.output
        record.images = digest_experiment(inputs.split, inputs.package, snakemake.wildcards.experiment, outputs.digest)
