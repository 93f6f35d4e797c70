"""What the evaluation of a detector leaves: its figures beside those of the fixed box, and the surest boxes.

Apart from the evaluation itself, which a training also uses, so that another layout of a table trains nothing anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from bioscan1m.detector.boxes_table import CORNERS
from bioscan1m.detector.detector_evaluation import Evaluated
from bioscan1m.tables import write_parquet, write_table


def write_metrics(
    path: str | Path, training_set: str, val_set: str, figures: dict[str, float | int], fixed: dict[str, float | int]
) -> None:
    """Write the table of one detector on one validation set, one row; `fixed` are the figures of the fixed box."""
    baseline = {f"fixed_box_{name}": fixed[name] for name in ("ap_75", "ar_50_95", "mean_iou")}
    row = {"training_set": training_set, "val_set": val_set, **figures, **baseline}
    write_table(path, pd.DataFrame([row]), decimals=4)


def write_best_boxes(path: str | Path, evaluated: Sequence[Evaluated]) -> None:
    """Write the surest box of each image, in pixels of the photograph, with its score and its IoU as Parquet."""
    rows = [
        {
            "image_file": item.example.image_file,
            "width": item.example.image.width,
            "height": item.example.image.height,
            **dict(zip(CORNERS, item.best_box.tolist(), strict=True)),
            "score": float(item.scores.max()),
            "iou": item.iou,
        }
        for item in evaluated
    ]
    write_parquet(path, pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False))
