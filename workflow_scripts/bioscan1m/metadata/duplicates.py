"""Images that are copies of others: the tables of their hashes and of their groups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from bioscan1m.metadata.table import read_tsv

if TYPE_CHECKING:  # what hashes images needs no pandas
    import pandas as pd

# One row for each image of a chunk.
HASHES = pa.schema({"image_file": pa.string(), "sha256": pa.binary(32), "perceptual_hash": pa.binary(32)})
# Of a group of images with equal bytes, and of one that look alike, the first image; empty where one has no other.
EQUAL_BYTES, NEAR_DUPLICATE = "equal_bytes", "near_duplicate"
COLUMNS = ["image_file", EQUAL_BYTES, NEAR_DUPLICATE]


def read_duplicates(path: str | Path, image_files: pd.Series) -> pd.DataFrame:
    """The groups of duplicates of these images: EQUAL_BYTES and NEAR_DUPLICATE, in their order, empty for none."""
    groups = read_tsv(path, COLUMNS).to_pandas().set_index("image_file")
    return groups.reindex(image_files.to_numpy(), fill_value="").reset_index(drop=True)
