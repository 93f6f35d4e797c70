"""Whether an image is like those that a classifier learned from: the distance of its embedding to theirs.

The distance is that to the nearest training image (Sun et al. 2022), each dimension of the embeddings in units of its
standard deviation over the training images. Training images without an insect do not count. The threshold is what a
share of the validation images exceeds, the rate of false alarms. The class that the classifier finds has a threshold
for itself where enough validation images are taken for it.

Of many training images a sample is compared, the same number of each class as far as there are so many: its size bounds
memory and time. docs/predictions.md has what the sample costs.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from bioscan1m.experiments.predictions import Predictions
from bioscan1m.foundation.errors import InputError
from bioscan1m.inference.conformal import conformal_threshold, enough_images
from bioscan1m.inference.embeddings import describe_embeddings, read_vectors

SAMPLE = 20_000  # training images that are compared: 160 MB of ResNet-50's embeddings
AT_A_TIME = 256  # images


@dataclass(frozen=True)
class TrainingImages:
    """Embeddings of training images, standardised, and how they were."""

    mean: np.ndarray  # (length,) float32
    deviation: np.ndarray  # (length,) float32
    embeddings: np.ndarray  # (images, length) float32

    def distances(self, vectors: np.ndarray) -> np.ndarray:
        """The distance (images,) of embeddings (images, length) to the nearest training image."""
        known = torch.from_numpy(self.embeddings)
        found = [np.empty(0, np.float32)]
        for start in range(0, len(vectors), AT_A_TIME):
            standardised = (vectors[start : start + AT_A_TIME] - self.mean) / self.deviation
            found.append(torch.cdist(torch.from_numpy(standardised), known).amin(dim=1).numpy())
        return np.concatenate(found)


def read_training_images(embeddings: str | Path, empty: Container[str]) -> TrainingImages:
    """The SAMPLE of the training images of an embeddings.parquet.

    Args:
        embeddings: the file.
        empty: images without an insect, which would make all images without one look known.

    Returns:
        Those of the others that are compared.

    Raises:
        InputError: all training images are empty.
    """
    training = _images_with_insects(embeddings, "train", empty)
    return training_images(read_vectors(embeddings, training.index[sample_evenly(training["label"], SAMPLE)]))


def validation_distances(
    known: TrainingImages, embeddings: str | Path, validation: Predictions, empty: Container[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The distances of validation images of an embeddings.parquet, SAMPLE at most, and their most probable classes.

    Raises InputError where all of them are `empty`.
    """
    images = _images_with_insects(embeddings, "validation", empty)
    images = images.sample(min(SAMPLE, len(images)), random_state=0).sort_index()
    found = pd.Series(validation.predicted, index=validation.image_files)
    return known.distances(read_vectors(embeddings, images.index)), found[images["image_file"]].to_numpy()


def _images_with_insects(embeddings: str | Path, role: str, empty: Container[str]) -> pd.DataFrame:
    described = describe_embeddings(embeddings)
    own = described[described["role"] == role]
    kept = own[[name not in empty for name in own["image_file"]]]
    if kept.empty:
        raise InputError(f"{embeddings}: an insect was found on none of {len(own)} {role} images; train the detector")
    return kept


def training_images(vectors: np.ndarray) -> TrainingImages:
    """Standardise embeddings (images, length); a dimension that is always the same is left as it is."""
    mean, deviation = vectors.mean(axis=0), vectors.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1).astype(np.float32)
    return TrainingImages(mean, deviation, (vectors - mean) / deviation)


def sample_evenly(labels: pd.Series, count: int, seed: int = 0) -> np.ndarray:
    """Places of at most `count` images, in ascending order: as many of each class, or all of a class with fewer."""
    shuffled = labels.sample(frac=1, random_state=seed)
    turn = shuffled.groupby(shuffled, sort=False).cumcount()
    chosen = turn.sort_values(kind="stable").index[:count]
    return np.sort(labels.index.get_indexer(chosen))


def distance_thresholds(distances: np.ndarray, predicted: np.ndarray, classes: int, false_alarms: float) -> np.ndarray:
    """From which distance on an image is unlike the training images, by the class that the classifier finds.

    Args:
        distances: of the validation images, (images,).
        predicted: their most probable classes, (images,).
        classes: how many there are.
        false_alarms: the share of the validation images that may lie beyond.

    Returns:
        (classes,): the conformal threshold of a class's own images where these are enough, else that of all images;
        infinite where all are too few.
    """
    level = 1 - false_alarms
    of_all = conformal_threshold(distances, level)
    own = [distances[predicted == place] for place in range(classes)]
    return np.array([conformal_threshold(one, level) if enough_images(len(one), level) else of_all for one in own])
