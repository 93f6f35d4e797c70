"""Images unlike those of the training are farther from them than the validation images are, at the stated rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.errors import InputError
from bioscan1m.inference.embeddings import Embeddings, describe_embeddings, read_vectors, write_embeddings
from bioscan1m.inference.novelty import (
    distance_thresholds,
    read_training_images,
    sample_evenly,
    training_images,
    validation_distances,
)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_the_distance_is_that_to_the_nearest_image_in_units_of_the_deviation(seed, images):
    random = np.random.default_rng(seed)
    vectors = (random.normal(size=(images, 4)) * [1, 100, 0.01, 0]).astype(np.float32)
    queries = (random.normal(size=(9, 4)) * [1, 100, 0.01, 1]).astype(np.float32)
    deviation = np.where(vectors.std(axis=0) > 0, vectors.std(axis=0), 1)
    apart = np.linalg.norm((queries[:, None] - vectors) / deviation, axis=2)
    assert training_images(vectors).distances(queries) == pytest.approx(apart.min(axis=1), rel=0.01, abs=0.01)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(1, 100))
def test_a_sample_has_as_many_images_of_each_class_as_there_are(images, count):
    labels = pd.Series(np.repeat([f"class {place}" for place in range(len(images))], images))
    places = sample_evenly(labels, count)
    assert len(places) == min(count, len(labels)) and (np.diff(places) > 0).all()
    chosen = labels.iloc[places].value_counts()
    for place, number in enumerate(images):
        own = chosen.get(f"class {place}", 0)
        assert own == number or own >= chosen.max() - 1


def test_of_images_like_those_of_the_training_the_stated_share_lies_beyond_the_threshold():
    random = np.random.default_rng(1)
    vectors = random.normal(size=(4000, 8)).astype(np.float32)
    predicted = random.integers(3, size=1000)
    vectors[1000:2000] *= 1 + predicted[:, None]  # the third class is more spread out
    vectors[2000:3000] *= 1 + predicted[:, None]
    known = training_images(vectors[:1000])
    thresholds = distance_thresholds(known.distances(vectors[1000:2000]), predicted, 3, 0.1)
    beyond = known.distances(vectors[2000:3000]) > thresholds[predicted]
    for place in range(3):
        assert beyond[predicted == place].mean() == pytest.approx(0.1, abs=0.05)


def test_a_class_with_few_validation_images_has_the_threshold_of_all():
    distances, predicted = np.arange(100.0), np.repeat([0, 1], [95, 5])
    own, shared, absent = distance_thresholds(distances, predicted, 3, 0.1)
    assert (own, shared, absent) == (86, 90, 90)
    assert np.isinf(distance_thresholds(distances[:5], predicted[:5], 2, 0.1)).all()


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Embeddings of 40 images, every fourth one for validation."""
    names = [f"{place}.jpg" for place in range(40)]
    vectors = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    roles = ["validation" if place % 4 == 0 else "train" for place in range(40)]
    split = pd.DataFrame({"image_file": names, "label": ["a", "b"] * 20, "role": roles})
    write_embeddings(tmp_path / "embeddings.parquet", Embeddings(names, vectors), split)
    return tmp_path / "embeddings.parquet", vectors


def test_some_of_the_embeddings_are_read_without_the_others(written, monkeypatch):
    path, vectors = written
    monkeypatch.setattr("bioscan1m.inference.embeddings.ROWS_AT_A_TIME", 7)
    assert np.array_equal(read_vectors(path, [0, 6, 7, 39]), vectors[[0, 6, 7, 39]])
    assert describe_embeddings(path)["role"].value_counts().to_dict() == {"train": 30, "validation": 10}


def test_only_training_images_are_compared_with_and_only_validation_images_measured(written):
    path, vectors = written
    known = read_training_images(path, {"1.jpg", "4.jpg"})
    assert len(known.embeddings) == 29
    names = [f"{place}.jpg" for place in range(36, -1, -4)]
    validation = Predictions(["a", "b"], names, np.zeros(10, int), np.eye(2)[[1] * 9 + [0]])
    distances, predicted = validation_distances(known, path, validation, {"1.jpg", "4.jpg"})
    training = [place for place in range(40) if place % 4 and place != 1]
    measured = [0, *range(8, 40, 4)]
    assert distances == pytest.approx(training_images(vectors[training]).distances(vectors[measured]), abs=1e-3)
    assert predicted.tolist() == [0] + [1] * 8
    with pytest.raises(InputError, match="none of 30 train images"):
        read_training_images(path, {f"{place}.jpg" for place in range(40)})
