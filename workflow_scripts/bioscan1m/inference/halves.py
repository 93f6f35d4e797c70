"""Two halves of a set of images, so that each is measured by what the other has calibrated: no specimen is in both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bioscan1m.foundation.tables import read_parquet
from bioscan1m.metadata.split_groups import Groups

SPECIMEN = "sampleid"


def halves_by_specimen(metadata: str | Path, image_files: Sequence[str], group: str | None) -> np.ndarray:
    """Whether each image is in the second half, bool (images,), by the digest of its specimen's name.

    Args:
        metadata: the validated metadata, Parquet.
        image_files: the images, all of which are in there.
        group: its column whose images belong together, as for the splits; None for sampleid. An image without a value
            there is a specimen by itself.

    Returns:
        The halves; they stay when other images come.
    """
    column = group or SPECIMEN
    table = read_parquet(metadata, columns=["image_file", column]).to_pandas().set_index("image_file")
    groups = Groups(table.loc[list(image_files)].reset_index(), column)
    second = np.array([hashlib.sha256(name.encode()).digest()[0] >= 128 for name in groups.names], dtype=bool)
    return second[groups.of_rows]
