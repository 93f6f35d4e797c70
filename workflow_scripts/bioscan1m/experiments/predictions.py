"""The predictions of one classifier for the images of one role: what every metric and figure is drawn from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from bioscan1m.foundation.tables import read_parquet, write_parquet
from bioscan1m.metadata.table import ROWS_PER_GROUP


@dataclass(frozen=True)
class Predictions:
    """Images in the order of the metadata, with true classes and logits; classes are indices into `classes`."""

    classes: list[str]
    image_files: list[str]
    truth: np.ndarray  # (images,) int64
    logits: np.ndarray  # (images, classes) float32

    @property
    def predicted(self) -> np.ndarray:
        """The class with the highest logit, (images,) int64."""
        return self.logits.argmax(axis=1)

    @property
    def misclassified(self) -> np.ndarray:
        """Whether the prediction is another class than the true one, (images,) bool."""
        return self.predicted != self.truth

    def take(self, chosen: np.ndarray) -> Predictions:
        """Those for some of the images, by a mask (images,) bool."""
        image_files = [name for name, one in zip(self.image_files, chosen, strict=True) if one]
        return Predictions(self.classes, image_files, self.truth[chosen], self.logits[chosen])


def write_predictions(path: str | Path, predictions: Predictions) -> None:
    """Write a Parquet table of image_file, truth, prediction (class names) and logits, a list of one float per class.

    The schema's metadata hold the class names in the order of the logits, as JSON under `classes`.
    """
    classes = np.array(predictions.classes, dtype=object)
    table = pa.table(
        {
            "image_file": pa.array(predictions.image_files, pa.string()),
            "truth": pa.array(classes[predictions.truth], pa.string()),
            "prediction": pa.array(classes[predictions.predicted], pa.string()),
            "logits": pa.FixedSizeListArray.from_arrays(
                pa.array(predictions.logits.astype(np.float32).ravel()), len(classes)
            ),
        },
        metadata={"classes": json.dumps(predictions.classes, ensure_ascii=False)},
    )
    write_parquet(path, table, ROWS_PER_GROUP)


def read_predictions(path: str | Path) -> Predictions:
    """Read what `write_predictions` wrote."""
    table = read_parquet(path)
    classes = json.loads(table.schema.metadata[b"classes"])
    place = {name: index for index, name in enumerate(classes)}
    return Predictions(
        classes=classes,
        image_files=table["image_file"].to_pylist(),
        truth=np.array([place[name] for name in table["truth"].to_pylist()], dtype=np.int64),
        logits=table["logits"].combine_chunks().flatten().to_numpy().reshape(-1, len(classes)),
    )
