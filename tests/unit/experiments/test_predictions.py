"""The table of predictions has the columns that its readers rely on, and gives back what was written."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bioscan1m.experiments.predictions import Predictions, read_predictions, write_predictions

CLASSES = ["Coleoptera", "Diptera", "Hymenoptera"]
LOGITS = np.array([[0.1, 2.5, -1.0], [3.25, 0.0, 1.0]], np.float32)


@pytest.fixture
def path(tmp_path):
    """A table of two images, the second of which is misclassified."""
    write_predictions(
        tmp_path / "predictions.parquet", Predictions(CLASSES, ["b.jpg", "a.jpg"], np.array([1, 2]), LOGITS)
    )
    return tmp_path / "predictions.parquet"


def test_the_columns_are_the_published_ones_with_as_many_logits_as_classes(path):
    schema = pq.read_schema(path)
    assert schema.names == ["image_file", "truth", "prediction", "logits"]
    assert schema.types == [pa.string(), pa.string(), pa.string(), pa.list_(pa.float32(), len(CLASSES))]
    assert json.loads(schema.metadata[b"classes"]) == CLASSES


def test_rows_keep_their_order_and_name_the_true_and_the_predicted_class(path):
    table = pq.read_table(path)
    assert table.drop_columns("logits").to_pylist() == [
        {"image_file": "b.jpg", "truth": "Diptera", "prediction": "Diptera"},
        {"image_file": "a.jpg", "truth": "Hymenoptera", "prediction": "Coleoptera"},
    ]
    assert table["logits"].to_pylist() == LOGITS.tolist()


def test_what_was_written_is_read_again(path):
    again = read_predictions(path)
    assert (again.classes, again.image_files, again.truth.tolist()) == (CLASSES, ["b.jpg", "a.jpg"], [1, 2])
    assert again.logits.dtype == np.float32 and np.array_equal(again.logits, LOGITS)
