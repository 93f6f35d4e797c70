"""The boxes table of a chunk: one row for each member of the zip, image or not, with the detector's settings.

After the columns of the box come those of its quality (quality.py), null where the member is unreadable.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from bioscan1m.foundation.errors import InputError
from bioscan1m.foundation.tables import read_parquet, write_parquet

if TYPE_CHECKING:  # pandas takes long to import, and a trace does without
    import pandas as pd

DETECTED = "detected"
BELOW_THRESHOLD = "below_threshold"
UNREADABLE = "unreadable"
CORNERS = ["x_min", "y_min", "x_max", "y_max"]
# Columns of true and false, each for one doubt about a box, and one about the photograph.
BLANK = "blank"
FLAGS = ["touches_border", "ambiguous", "tiny", BLANK]
SCHEMA = pa.schema(
    [
        ("image_file", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        *((corner, pa.float32()) for corner in CORNERS),
        ("score", pa.float32()),
        ("status", pa.string()),
        ("second_score", pa.float32()),
        ("box_share", pa.float32()),
        ("sharpness", pa.float32()),
        *((flag, pa.bool_()) for flag in FLAGS),
    ]
)


def write_boxes(path: str | Path, frame: pd.DataFrame, settings: dict[str, Any]) -> None:
    """Write the table; `settings` (the detector's digests and settings) go to the Parquet metadata."""
    table = pa.Table.from_pandas(frame[SCHEMA.names], schema=SCHEMA, preserve_index=False)
    described = {"detection": json.dumps(settings, sort_keys=True)}
    write_parquet(path, table.replace_schema_metadata(described))


def read_boxes(path: str | Path) -> pd.DataFrame:
    """Read the table; corners and score are NaN where there is no box."""
    return read_parquet(path, schema=SCHEMA).to_pandas()


def read_settings(path: str | Path) -> dict[str, Any]:
    """The settings in the metadata of a table. Raises InputError where it has none."""
    try:
        return json.loads(pq.read_schema(path).metadata[b"detection"])
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError):
        raise InputError(f"{path}: not a table of boxes as the detection writes it; remove it and run again") from None
